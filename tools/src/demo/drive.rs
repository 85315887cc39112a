//! The driver: day after day, many people at once, every command on the real path.

use super::ask::World;
use super::clock::{self, VisitClock};
use super::lives::{Life, Occasion, device_identifier};
use super::people::{CITY, Citizen};
use super::plan::{Appointment, Plan, Route, Visit};
use crate::interrupt;
use crate::times::day_start;
use indicatif::ProgressBar;
use parking_lot::Mutex;
use serde_json::json;
use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Arc;
use tokio::task::JoinSet;

/// People on their way at once.
pub const IN_FLIGHT: usize = 128;

/// Population records of everybody, as the registry imports them: JSON lines, made as they are read.
pub struct Population<'a> {
    plan: &'a Plan,
    seed: u64,
    /// Also phones and devices, which a registry does not know.
    everything: bool,
    next: u64,
    line: Vec<u8>,
    at: usize,
}

impl<'a> Population<'a> {
    /// Of a plan.
    pub const fn new(plan: &'a Plan, seed: u64) -> Self {
        Self {
            plan,
            seed,
            everything: false,
            next: 0,
            line: Vec::new(),
            at: 0,
        }
    }

    /// With everything personal there is, for searches.
    #[must_use]
    pub const fn with_everything(mut self) -> Self {
        self.everything = true;
        self
    }

    fn refill(&mut self) -> io::Result<bool> {
        let index = usize::try_from(self.next).unwrap_or(usize::MAX);
        let Some(route) = self.plan.routes.get(index) else {
            return Ok(false);
        };
        let citizen = Citizen::new(self.seed, self.next, route.has_card());
        let person = &citizen.person;
        // The registries know the documents of every second person.
        let documents = if self.next.is_multiple_of(2) {
            json!([
                { "kind": "health_insurance_card", "number": Citizen::insurance(self.seed, self.next) },
                { "kind": "driving_licence", "number": Citizen::driving_licence(self.seed, self.next) },
            ])
        } else {
            json!([])
        };
        let mut record = json!({
            "personal_id": person.personal_id,
            "full_name": person.full_name,
            "birth_date": person.birth_date,
            "sex": person.sex,
            "area": CITY,
            "residence": person.residence,
            "card_issued": person.card_issued,
            "old_id": person.old_id,
            "has_chip_card": citizen.card,
            "documents": documents,
        });
        if self.everything
            && let Some(fields) = record.as_object_mut()
        {
            let person_number = u32::try_from(self.next).unwrap_or(u32::MAX);
            let device = |number| device_identifier(self.seed, person_number, number);
            fields.insert("phones".into(), json!([person.phone, citizen.second_phone]));
            fields.insert("devices".into(), json!([device(0), device(1)]));
        }
        self.line.clear();
        serde_json::to_writer(&mut self.line, &record)?;
        self.line.push(b'\n');
        self.at = 0;
        self.next += 1;
        Ok(true)
    }
}

impl Read for Population<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() && !self.refill()? {
            return Ok(0);
        }
        let left = self.line.get(self.at..).unwrap_or_default();
        let length = left.len().min(into.len());
        if let (Some(into), Some(left)) = (into.get_mut(..length), left.get(..length)) {
            into.copy_from_slice(left);
        }
        self.at += length;
        Ok(length)
    }
}

/// Lives the whole plan. Returns everybody's life at the end.
pub async fn drive(
    world: Arc<World>,
    plan: &Plan,
    day_clock: &VisitClock,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Life>> {
    let lives: Arc<Vec<Mutex<Life>>> =
        Arc::new(plan.routes.iter().map(|_| Mutex::default()).collect());
    let changers: HashSet<u32> = plan
        .agenda
        .iter()
        .filter(|appointment| appointment.visit == Visit::ChangeDevice)
        .map(|appointment| appointment.person)
        .collect();
    let mut elsewhere = None;
    for day in plan
        .agenda
        .chunk_by(|a, b| a.at.local_day() == b.at.local_day())
    {
        if interrupt::requested() {
            break;
        }
        if let Some(first) = day.first() {
            day_clock.day.set(day_start(first.at.local_day()));
        }
        live_day(&world, plan, &lives, day, elsewhere).await?;
        // Somebody whose device is bound by now and stays theirs.
        let bound = day.iter().find(|appointment| {
            appointment.visit == Visit::Activate
                && !changers.contains(&appointment.person)
                && route(plan, appointment.person) != Route::AppOnly
        });
        elsewhere = bound.map(|appointment| appointment.person).or(elsewhere);
        bar.inc(day.len() as u64);
    }
    Ok(lives.iter().map(|life| *life.lock()).collect())
}

fn route(plan: &Plan, person: u32) -> Route {
    plan.routes
        .get(person as usize)
        .copied()
        .unwrap_or(Route::AppOnly)
}

/// One day: everybody at once, each person's visits in order.
async fn live_day(
    world: &Arc<World>,
    plan: &Plan,
    lives: &Arc<Vec<Mutex<Life>>>,
    day: &[Appointment],
    elsewhere: Option<u32>,
) -> anyhow::Result<()> {
    let mut by_person = day.to_vec();
    by_person.sort_unstable_by_key(|appointment| (appointment.person, appointment.at));
    let mut tasks = JoinSet::new();
    for visits in by_person.chunk_by(|a, b| a.person == b.person) {
        while tasks.len() >= IN_FLIGHT {
            finished(tasks.join_next().await)?;
        }
        let Some(person) = visits.first().map(|first| first.person) else {
            continue;
        };
        let (world, lives, visits) = (Arc::clone(world), Arc::clone(lives), visits.to_vec());
        let route = route(plan, person);
        tasks.spawn(async move {
            let Some(slot) = lives.get(person as usize) else {
                return Ok(());
            };
            let mut life = *slot.lock();
            for visit in visits {
                let mut occasion = Occasion::new(&world, person, route, life);
                occasion.elsewhere = elsewhere;
                Box::pin(clock::visit(visit.at, occasion.keep(visit))).await?;
                life = occasion.life;
            }
            *slot.lock() = life;
            Ok(())
        });
    }
    while let Some(result) = tasks.join_next().await {
        finished(Some(result))?;
    }
    Ok(())
}

fn finished(
    result: Option<Result<anyhow::Result<()>, tokio::task::JoinError>>,
) -> anyhow::Result<()> {
    match result {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => Err(error.into()),
        None => Ok(()),
    }
}
