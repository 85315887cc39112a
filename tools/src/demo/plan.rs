//! Who gets which account when: lives whose totals come out exactly.
//!
//! Published are four totals as of 05/03/2024 (letter 520/CV-CQTT of 06/03/2024, Hải Dương city).
//! How activation divides between the levels is *not* published; here it is divided in proportion,
//! and never presented as sourced. Dates between the first issuance and that day are made up.

use super::dice::Dice;
use crate::times::day_start;
use domain::ids::{LocalDay, Micros};

/// 15/03/2022: level-2 intake together with cards begins.
pub const FIRST_DAY: LocalDay = LocalDay(19_066);
/// 05/03/2024: the day of the published totals.
pub const COUNTED_DAY: LocalDay = LocalDay(19_787);
/// 05/04/2024: the simulation ends.
pub const LAST_DAY: LocalDay = LocalDay(19_818);

/// People counted on [`COUNTED_DAY`], by what they have then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Level 1, activated.
    pub level1_active: u64,
    /// Level 1, not activated.
    pub level1_idle: u64,
    /// Level 2, activated.
    pub level2_active: u64,
    /// Level 2, not activated.
    pub level2_idle: u64,
}

impl Totals {
    /// The city: 215,606 accounts, 18,307 and 197,299, 199,610 activated.
    pub const CITY: Self = Self {
        level1_active: 16_949,
        level1_idle: 1_358,
        level2_active: 182_661,
        level2_idle: 14_638,
    };

    /// The same shares for another number of people, by largest remainder.
    pub fn scaled(people: u64) -> Self {
        let whole = Self::CITY.accounts();
        let shares = Self::CITY.parts().map(|part| part * people);
        let mut parts = shares.map(|share| share / whole);
        let mut order = [0, 1, 2, 3];
        order.sort_by_key(|at| std::cmp::Reverse(shares.get(*at).map_or(0, |s| s % whole)));
        let missing = people - parts.iter().sum::<u64>();
        for at in order
            .into_iter()
            .take(usize::try_from(missing).unwrap_or(0))
        {
            if let Some(part) = parts.get_mut(at) {
                *part += 1;
            }
        }
        let [level1_active, level1_idle, level2_active, level2_idle] = parts;
        Self {
            level1_active,
            level1_idle,
            level2_active,
            level2_idle,
        }
    }

    const fn parts(self) -> [u64; 4] {
        [
            self.level1_active,
            self.level1_idle,
            self.level2_active,
            self.level2_idle,
        ]
    }

    /// All accounts.
    pub const fn accounts(self) -> u64 {
        self.level1() + self.level2()
    }

    /// At level 1.
    pub const fn level1(self) -> u64 {
        self.level1_active + self.level1_idle
    }

    /// At level 2.
    pub const fn level2(self) -> u64 {
        self.level2_active + self.level2_idle
    }

    /// Activated.
    pub const fn activated(self) -> u64 {
        self.level1_active + self.level2_active
    }
}

/// How somebody comes to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// P1 and P3: app, card QR or chip.
    Level1,
    /// P4: at the desk, with a chip card.
    Level2,
    /// P5: at the desk, together with the card.
    Level2WithCard,
    /// Level 1 first, level 2 later.
    Upgrade,
    /// An app account and nothing more.
    AppOnly,
    /// At the desk, and the fingerprints are not theirs: refused.
    Refused,
    /// At the desk, and they do not agree: ended.
    NoConsent,
}

impl Route {
    /// Whether a chip card is there from the start.
    pub const fn has_card(self) -> bool {
        !matches!(self, Self::Level2WithCard)
    }
}

/// What happens on one occasion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visit {
    /// P1: registration, code, password.
    Register,
    /// P3: application for level 1.
    Apply,
    /// P4, P5: the officer's desk.
    Desk,
    /// P6: decision and notice.
    Decide,
    /// P7, on a device that is somebody else's.
    ActivateElsewhere,
    /// P7.
    Activate,
    /// P7 once more.
    ActivateAgain,
    /// The clock: nobody activated.
    Expire,
    /// The hotline reopens the window; then P7.
    AssistAndActivate,
    /// P2.
    LogIn,
    /// P9.
    ChangeDevice,
    /// P8.
    ChangePhone,
    /// A document.
    Link,
    /// A lock at the holder's own request.
    Lock,
    /// Its end.
    Unlock,
}

/// One occasion of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Appointment {
    /// When it begins.
    pub at: Micros,
    /// Whose.
    pub person: u32,
    /// What.
    pub visit: Visit,
}

/// Everybody's lives.
pub struct Plan {
    /// What is counted.
    pub totals: Totals,
    /// Route by person.
    pub routes: Vec<Route>,
    /// Every occasion, in order of time.
    pub agenda: Vec<Appointment>,
}

impl Plan {
    /// The lives of `people` counted ones and of those who come on top.
    pub fn new(people: u64, seed: u64) -> Self {
        let totals = Totals::scaled(people);
        let mut plan = Self {
            totals,
            routes: Vec::new(),
            agenda: Vec::new(),
        };
        let counted = |active| Fate {
            active,
            until: COUNTED_DAY,
        };
        plan.add(totals.level1_active, seed, |_| Route::Level1, counted(true));
        plan.add(totals.level1_idle, seed, |_| Route::Level1, counted(false));
        plan.add(totals.level2_active, seed, level2, counted(true));
        plan.add(totals.level2_idle, seed, desk, counted(false));
        // On top: what the totals of that day must not count.
        let some = |per_mille: u64| (people * per_mille).div_ceil(1000);
        plan.add(some(6), seed, |_| Route::AppOnly, counted(false));
        plan.add(some(3), seed, |_| Route::Refused, counted(false));
        plan.add(some(2), seed, |_| Route::NoConsent, counted(false));
        plan.add(
            some(8),
            seed,
            desk,
            Fate {
                active: true,
                until: LAST_DAY,
            },
        );
        plan.agenda.sort_unstable();
        plan
    }

    fn add(&mut self, count: u64, seed: u64, route: fn(&mut Dice) -> Route, fate: Fate) {
        for _ in 0..count {
            let person = self.routes.len() as u32;
            let mut dice = Dice::new(seed, "life", u64::from(person));
            let route = route(&mut dice);
            self.routes.push(route);
            let mut life = Life {
                person,
                dice,
                agenda: &mut self.agenda,
            };
            life.live(route, fate);
        }
    }
}

fn level2(dice: &mut Dice) -> Route {
    if dice.per_mille(40) {
        Route::Upgrade
    } else {
        desk(dice)
    }
}

fn desk(dice: &mut Dice) -> Route {
    if dice.per_mille(250) {
        Route::Level2WithCard
    } else {
        Route::Level2
    }
}

#[derive(Clone, Copy)]
struct Fate {
    active: bool,
    /// By the end of this day everything that counts has happened.
    until: LocalDay,
}

struct Life<'a> {
    person: u32,
    dice: Dice,
    agenda: &'a mut Vec<Appointment>,
}

/// Days kept free before the counted day, for decision, notice and activation.
const TAIL_DAYS: i32 = 12;

impl Life<'_> {
    fn live(&mut self, route: Route, fate: Fate) {
        let start = self.start(route, fate);
        match route {
            Route::AppOnly => {
                self.meet(start, 0, Visit::Register);
                if self.dice.per_mille(400) {
                    self.meet(start, 1, Visit::Activate); // "chưa được định danh điện tử"
                }
            }
            Route::Refused => {
                self.meet(start, 0, Visit::Desk);
                self.meet(start, 2, Visit::Decide);
            }
            Route::NoConsent => self.meet(start, 0, Visit::Desk),
            Route::Level1 => {
                self.meet(start, 0, Visit::Register);
                self.meet(start, 0, Visit::Apply);
                self.meet(start, 1, Visit::Decide);
                self.after_notice(LocalDay(start.0 + 1), fate);
            }
            Route::Level2 | Route::Level2WithCard => {
                let days = if route == Route::Level2 { 3 } else { 5 };
                let decided = self.dice.between(1, days) as i32;
                self.meet(start, 0, Visit::Desk);
                self.meet(start, decided, Visit::Decide);
                self.after_notice(LocalDay(start.0 + decided), fate);
            }
            Route::Upgrade => {
                self.meet(start, 0, Visit::Register);
                self.meet(start, 0, Visit::Apply);
                self.meet(start, 1, Visit::Decide);
                self.meet(start, 3, Visit::Activate);
                let desk = self.day_between(start.0 + 14, fate.until.0 - TAIL_DAYS);
                self.meet(desk, 0, Visit::Desk);
                self.meet(desk, 2, Visit::Decide);
            }
        }
    }

    /// The first day: more in the first year than later, as cards were issued in bulk.
    fn start(&mut self, route: Route, fate: Fate) -> LocalDay {
        let room = if route == Route::Upgrade {
            40
        } else {
            TAIL_DAYS
        };
        if fate.until > COUNTED_DAY {
            return self.day_between(COUNTED_DAY.0 + 1, fate.until.0 - TAIL_DAYS);
        }
        let last = fate.until.0 - room;
        let (one, two) = (
            self.day_between(FIRST_DAY.0, last),
            self.day_between(FIRST_DAY.0, last),
        );
        one.min(two)
    }

    fn after_notice(&mut self, noticed: LocalDay, fate: Fate) {
        if !fate.active {
            self.meet(noticed, 8, Visit::Expire);
            if self.dice.per_mille(250) {
                let day = self.day_between(COUNTED_DAY.0 + 1, LAST_DAY.0);
                self.meet(day, 0, Visit::AssistAndActivate);
            }
            return;
        }
        let mut wait = self.dice.between(0, 4) as i32;
        if self.dice.per_mille(8) {
            self.meet(noticed, wait, Visit::ActivateElsewhere);
            wait += 1;
        }
        self.meet(noticed, wait + 1, Visit::Activate);
        self.use_it(LocalDay(noticed.0 + wait + 1));
    }

    /// What people do with an account that is active.
    fn use_it(&mut self, active: LocalDay) {
        let chances = [
            (Visit::ActivateAgain, 10),
            (Visit::LogIn, 60),
            (Visit::ChangeDevice, 20),
            (Visit::ChangePhone, 15),
            (Visit::Link, 90),
        ];
        for (visit, per_mille) in chances {
            if self.dice.per_mille(per_mille) {
                let day = self.day_between(active.0 + 1, LAST_DAY.0);
                self.meet(day, 0, visit);
            }
        }
        if self.dice.per_mille(5) {
            // After everything else, so that nothing above meets a locked account.
            self.meet(LAST_DAY, 1, Visit::Lock);
            if self.dice.per_mille(500) {
                self.meet(LAST_DAY, 3, Visit::Unlock);
            }
        }
    }

    fn day_between(&mut self, from: i32, to: i32) -> LocalDay {
        LocalDay(self.dice.between(i64::from(from), i64::from(to.max(from))) as i32)
    }

    fn meet(&mut self, day: LocalDay, later: i32, visit: Visit) {
        let day = LocalDay(day.0 + later);
        // Desks and authorities from half past seven to half past four, apps until ten at night;
        // what follows on the same day comes later on it.
        let minute = match visit {
            Visit::Register => self.dice.between(6 * 60, 11 * 60),
            Visit::Apply => self.dice.between(12 * 60, 21 * 60),
            Visit::Desk => self.dice.between(7 * 60 + 30, 16 * 60 + 30),
            Visit::Decide => self.dice.between(8 * 60, 16 * 60),
            Visit::Expire => 5,
            _ => self.dice.between(17 * 60, 22 * 60),
        };
        let second = self.dice.between(0, 59);
        let at = day_start(day).plus((minute * 60 + second) * Micros::SECOND);
        self.agenda.push(Appointment {
            at,
            person: self.person,
            visit,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::show_day;

    #[test]
    fn the_days_are_the_days() {
        assert_eq!(show_day(FIRST_DAY), "2022-03-15");
        assert_eq!(show_day(COUNTED_DAY), "2024-03-05");
        assert_eq!(show_day(LAST_DAY), "2024-04-05");
    }

    #[test]
    fn totals_scale_by_largest_remainder() {
        let city = Totals::CITY;
        assert_eq!(
            (
                city.accounts(),
                city.level1(),
                city.level2(),
                city.activated()
            ),
            (215_606, 18_307, 197_299, 199_610)
        );
        assert_eq!(Totals::scaled(215_606), city);
        let small = Totals::scaled(2_156);
        assert_eq!(
            (
                small.accounts(),
                small.level1(),
                small.level2(),
                small.activated()
            ),
            (2_156, 183, 1_973, 1_996)
        );
        for people in [0, 1, 2, 3, 99, 1000] {
            assert_eq!(Totals::scaled(people).accounts(), people);
        }
    }

    #[test]
    fn what_counts_happens_in_time_and_in_order() {
        let plan = Plan::new(2_156, 1);
        let counted = plan.totals.accounts() as u32;
        let mut last = vec![Micros(i64::MIN); plan.routes.len()];
        for appointment in &plan.agenda {
            assert!(last[appointment.person as usize] < appointment.at);
            last[appointment.person as usize] = appointment.at;
            let counts = matches!(
                appointment.visit,
                Visit::Register | Visit::Apply | Visit::Desk | Visit::Decide | Visit::Activate
            );
            if counts && appointment.person < counted {
                assert!(appointment.at.local_day() <= COUNTED_DAY, "{appointment:?}");
            }
        }
    }
}
