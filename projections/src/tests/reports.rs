//! Reports against a model that knows nothing of rows: it replays each account's events up to a day and
//! looks at what is there.
#![allow(clippy::cast_possible_wrap, reason = "small numbers of a test")]

use crate::report::{Month, Monthly, Quality};
use crate::statistics::{Documents, Flows};
use crate::testing::{START, Step, World, account, officer};
use crate::{Options, Views};
use domain::event::*;
use domain::ids::*;
use domain::law::LawBook;
use domain::vocabulary::*;
use ledger::store::EventStore;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ACCOUNTS: u8 = 5;
const AREAS: [u32; 3] = [30_288, 30_290, 1_005];
const KINDS: [DocumentKind; 3] = [
    DocumentKind::DrivingLicence,
    DocumentKind::VehicleRegistration,
    DocumentKind::HealthInsuranceCard,
];

/// An event and the minutes between it and the last.
fn step(who: u8, event: impl Into<Event>, later: i64) -> Step {
    Step {
        stream: StreamId::account(account(who)),
        event: event.into(),
        role: Role::Ledger,
        principal: PrincipalId::ZERO,
        later,
        late: 0,
        sealed: 0,
    }
}

#[allow(clippy::too_many_lines, reason = "a table: one arm a kind")]
fn event(kind: u8, n: u8, minutes: i64) -> Event {
    let instant = Micros(START + minutes * 60_000_000);
    let (case, request) = (CaseId([n % 2 + 1; 16]), RequestId([n % 2 + 1; 16]));
    let (document, document_kind) = (DocumentId([n % 4 + 1; 16]), KINDS[usize::from(n) % 3]);
    let (day, area) = (instant.local_day(), AreaCode(AREAS[usize::from(n) % 3]));
    let outcome = LinkOutcome::ALL[usize::from(n) % LinkOutcome::ALL.len()];
    let database = domain::decide::database_of(document_kind);
    match kind % 29 {
        0 => RegistryCheckSucceeded {
            request,
            database: Database::Population,
            area,
        }
        .into(),
        1 => Level1Applied {
            case,
            strength: EvidenceStrength::QrUnsigned,
            decide_by: day,
        }
        .into(),
        2 => Level2Applied {
            case,
            decide_by: day,
        }
        .into(),
        3 | 4 => AccountIssued {
            case,
            level: Level::ALL[usize::from(kind) % 2],
            area,
        }
        .into(),
        5 => ProcessingDeadlineMissed { case, due: day }.into(),
        6 => ActivationWindowOpened { deadline: instant }.into(),
        7 => ActivationWindowExpired { deadline: instant }.into(),
        8 => AccountActivated { level: Level::One }.into(),
        9 => DocumentLinkRequested {
            document,
            kind: document_kind,
        }
        .into(),
        10..=12 => DocumentLinked {
            document,
            kind: document_kind,
            database,
            data_as_of: Micros(instant.0 - i64::from(n) * 3 * Micros::DAY),
        }
        .into(),
        13 => DocumentLinkFailed {
            document,
            kind: document_kind,
            outcome,
        }
        .into(),
        14 => DocumentRefreshed {
            document,
            data_as_of: instant,
        }
        .into(),
        15 => DocumentLinkBroken { document, outcome }.into(),
        16 => DocumentUnlinked { document }.into(),
        17 => LockRequested {
            request,
            requester: officer(0),
            role: Role::CompetentAuthority,
            ground: LockGround::CompetentAuthority,
            action: LockAction::ALL[0],
            forward_by: None,
            decide_by: day,
        }
        .into(),
        18 => LockDeadlineMissed { request, due: day }.into(),
        19 => RegistryAnswerAwaited {
            request,
            what: Awaited::Document(document, document_kind),
            database,
        }
        .into(),
        20 => RegistryWaitEnded {
            request,
            end: WaitEnd::ALL[usize::from(n / 2) % 2],
        }
        .into(),
        21 => ApplicationRefused {
            case,
            reason: RefusalReason::ALL[0],
        }
        .into(),
        22 => OrganisationApplied {
            case,
            representative: account(9),
            others: Vec::new(),
            known: true,
        }
        .into(),
        23 => OrganisationIntakeRecorded {
            case,
            officer: officer(0),
            site: 7,
            representative: account(9),
            agreements: 1,
            known: true,
        }
        .into(),
        24 | 25 => OrganisationDossierCompleted {
            case,
            decide_by: day,
        }
        .into(),
        26 => OrganisationAccountIssued {
            case,
            representative: account(9),
            area: AreaCode(if n < 32 { 0 } else { area.0 }),
        }
        .into(),
        27 if n % 4 < 2 => OrganisationChecked {
            case,
            others: vec![LookupHash([n; 16]); usize::from(n % 2)],
        }
        .into(),
        27 => OrganisationApplicationEnded {
            case,
            reason: WithdrawReason::ALL[0],
        }
        .into(),
        _ if n < 16 => AccountClosed {
            reason: CloseReason::Death,
        }
        .into(),
        _ => LockRequestGranted { request }.into(),
    }
}

/// One account, event by event, in plain maps.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Model {
    area: Option<u32>,
    two: bool,
    closed: bool,
    linked: BTreeMap<DocumentId, (DocumentKind, i64)>,
    tried: Vec<(DocumentId, DocumentKind, LinkOutcome, Option<RequestId>)>,
    waiting: BTreeMap<CaseId, String>,
    organisation: bool,
    window: bool,
    asked: BTreeSet<RequestId>,
    /// Happened: what, in which area, when.
    happened: Vec<(String, Option<u32>, i32)>,
}

impl Model {
    fn note(&mut self, what: impl Into<String>, day: i32) {
        self.happened.push((what.into(), self.area, day));
    }

    fn decided(&mut self, case: CaseId, how: &str, day: i32) {
        if let Some(level) = self.waiting.remove(&case) {
            self.note(format!("{how} {level}"), day);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm a kind")]
    fn see(&mut self, event: &Event, day: i32) {
        let name = |kind: &DocumentKind, what: &str| format!("{kind:?} {what}");
        match event {
            Event::RegistryCheckSucceeded(e) => self.area = self.area.or(Some(e.area.0)),
            Event::Level1Applied(e) => {
                self.waiting.insert(e.case, "One".to_owned());
                self.note("applied One", day);
            }
            Event::Level2Applied(e) => {
                self.waiting.insert(e.case, "Two".to_owned());
                self.note("applied Two", day);
            }
            Event::AccountIssued(e) => {
                self.area = Some(e.area.0);
                self.two |= e.level == Level::Two;
                self.note(format!("issued {:?}", e.level), day);
                self.decided(e.case, "met", day);
            }
            Event::ApplicationRefused(e) => {
                let whose = if self.organisation {
                    " organisation"
                } else {
                    ""
                };
                self.note(format!("refused{whose}"), day);
                self.decided(e.case, "met", day);
            }
            Event::OrganisationApplied(_) | Event::OrganisationIntakeRecorded(_) => {
                self.organisation = true;
                self.note("applied organisation", day);
            }
            Event::OrganisationDossierCompleted(e) => {
                self.waiting.insert(e.case, "organisation".to_owned());
            }
            Event::OrganisationChecked(e) if !e.others.is_empty() => {
                self.waiting.remove(&e.case);
            }
            Event::OrganisationAccountIssued(e) => {
                if e.area.0 != 0 {
                    self.area = Some(e.area.0);
                }
                self.note("issued organisation", day);
                self.decided(e.case, "met", day);
            }
            Event::OrganisationApplicationEnded(e) => {
                self.note("withdrawn organisation", day);
                self.waiting.remove(&e.case);
            }
            Event::ProcessingDeadlineMissed(e) => {
                self.decided(e.case, "missed", day);
            }
            Event::ActivationWindowOpened(_) => self.window = true,
            Event::ActivationWindowExpired(_) if std::mem::take(&mut self.window) => {
                self.note("window missed", day);
            }
            Event::AccountActivated(_) => {
                self.note("activated", day);
                if std::mem::take(&mut self.window) {
                    self.note("window met", day);
                }
            }
            Event::LockRequested(e) => drop(self.asked.insert(e.request)),
            Event::LockRequestGranted(e) if self.asked.remove(&e.request) => {
                self.note("lock met", day);
            }
            Event::LockDeadlineMissed(e) if self.asked.remove(&e.request) => {
                self.note("lock missed", day);
            }
            Event::DocumentLinkRequested(e) => {
                self.tries(e.document, e.kind, Some(LinkOutcome::RegistryUnavailable));
            }
            Event::DocumentLinkFailed(e) => {
                self.tries(e.document, e.kind, Some(e.outcome));
                self.note(name(&e.kind, "failed"), day);
            }
            Event::DocumentLinked(e) => {
                self.tries(e.document, e.kind, None);
                let data = i64::from(e.data_as_of.local_day().0);
                self.linked.insert(e.document, (e.kind, data));
                self.note(name(&e.kind, "linked"), day);
            }
            Event::DocumentRefreshed(e) => {
                if let Some((kind, data)) = self.linked.get_mut(&e.document) {
                    *data = (*data).max(i64::from(e.data_as_of.local_day().0));
                    let what = name(kind, "refreshed");
                    self.note(what, day);
                }
            }
            Event::DocumentLinkBroken(e) => {
                if let Some((kind, _)) = self.linked.remove(&e.document) {
                    self.tries(e.document, kind, Some(e.outcome));
                    self.note(name(&kind, "broken"), day);
                }
            }
            Event::DocumentUnlinked(e) => drop(self.linked.remove(&e.document)),
            Event::RegistryAnswerAwaited(e) => {
                let Awaited::Document(document, _) = e.what else {
                    return;
                };
                for tried in &mut self.tried {
                    if tried.0 == document {
                        tried.3 = Some(e.request);
                    }
                }
            }
            Event::RegistryWaitEnded(e) => {
                let waits = Some(e.request);
                if e.end == WaitEnd::NotNeeded {
                    self.tried.retain(|tried| tried.3 != waits);
                }
                for tried in self.tried.iter_mut().filter(|tried| tried.3 == waits) {
                    tried.3 = None;
                }
            }
            Event::AccountClosed(_) => {
                if !std::mem::replace(&mut self.closed, true) {
                    self.note("closed", day);
                }
                self.waiting.clear();
                self.asked.clear();
                self.window = false;
            }
            _ => {}
        }
    }

    /// A new try takes the place of the last of its document, and of its kind unless that waits.
    fn tries(&mut self, document: DocumentId, kind: DocumentKind, outcome: Option<LinkOutcome>) {
        let mut kept = Vec::new();
        for tried in std::mem::take(&mut self.tried) {
            let other_kind = tried.1 != kind;
            if tried.0 != document && (other_kind || tried.3.is_some()) {
                kept.push(tried);
            }
        }
        kept.extend(outcome.map(|outcome| (document, kind, outcome, None)));
        self.tried = kept;
    }

    fn documents(&self, kind: DocumentKind) -> Documents {
        let mut of = Documents::default();
        if self.closed {
            return of;
        }
        let linked = self.linked.values().filter(|(known, _)| *known == kind);
        of.verified = linked.count() as i64;
        let tried: Vec<_> = self.tried.iter().filter(|tried| tried.1 == kind).collect();
        let count = |outcome| tried.iter().filter(|tried| tried.2 == outcome).count() as i64;
        of.not_found = count(LinkOutcome::NotFound);
        of.mismatch = count(LinkOutcome::Mismatch);
        of.unavailable = count(LinkOutcome::RegistryUnavailable);
        of.owner_mismatch = count(LinkOutcome::OwnerMismatch);
        of.no_longer_valid = count(LinkOutcome::NoLongerValid);
        of.declared = of.verified + tried.len() as i64;
        of.missing = i64::from(self.two && of.declared == 0);
        of
    }
}

fn lies_in(place: Option<u32>, area: u32) -> bool {
    let Some(place) = place else {
        return area == 0;
    };
    area == 0 || area == place || (area.is_multiple_of(1000) && place / 1000 == area / 1000)
}

/// Every account as it was at the end of a day.
fn models(steps: &[Step], until: i32) -> Vec<Model> {
    let mut models: BTreeMap<StreamId, (Model, i32)> = BTreeMap::new();
    let mut now = START;
    for step in steps {
        now += step.later * 60_000_000;
        let happened = Micros(now - step.late * 60_000_000).local_day().0;
        let (model, last) = models
            .entry(step.stream)
            .or_insert((Model::default(), i32::MIN));
        *last = happened.max(*last);
        if *last <= until {
            model.see(&step.event, *last);
        }
    }
    models.into_values().map(|(model, _)| model).collect()
}

fn expected_flows(models: &[Model], area: u32, from: i32) -> Flows {
    let count = |what: &str| {
        let all = models.iter().flat_map(|model| &model.happened);
        let found = all
            .filter(|(known, place, day)| known == what && *day >= from && lies_in(*place, area));
        found.count() as i64
    };
    Flows {
        applied_1: count("applied One"),
        applied_2: count("applied Two"),
        issued_1: count("issued One"),
        issued_2: count("issued Two"),
        refused: count("refused"),
        withdrawn: 0,
        activated: count("activated"),
        closed: count("closed"),
        decision_1_met: count("met One"),
        decision_1_missed: count("missed One"),
        decision_2_met: count("met Two"),
        decision_2_missed: count("missed Two"),
        activation_met: count("window met"),
        activation_missed: count("window missed"),
        lock_met: count("lock met"),
        lock_missed: count("lock missed"),
        applied_organisation: count("applied organisation"),
        issued_organisation: count("issued organisation"),
        refused_organisation: count("refused organisation"),
        withdrawn_organisation: count("withdrawn organisation"),
        decision_organisation_met: count("met organisation"),
        decision_organisation_missed: count("missed organisation"),
    }
}

/// How documents stand; and how many of them are stale after so many days.
fn expected_documents(
    models: &[Model],
    area: u32,
    kind: DocumentKind,
    day: i32,
    stale_days: u16,
) -> (Documents, i64) {
    let (mut sum, mut stale) = (Documents::default(), 0);
    for model in models.iter().filter(|model| lies_in(model.area, area)) {
        sum += model.documents(kind);
        let linked = model.linked.values().filter(|_| !model.closed);
        let old = linked.filter(|(known, data)| {
            *known == kind && i64::from(day) - data > i64::from(stale_days)
        });
        stale += old.count() as i64;
    }
    (sum, stale)
}

fn standing(documents: &Documents) -> [i64; 8] {
    let values = documents.values();
    core::array::from_fn(|at| values[at])
}

async fn check(views: &Views, steps: &[Step]) {
    let first = Micros(START).local_day();
    let month = Month::of(first);
    for offset in [0, 3, 9, 17, 30] {
        let day = LocalDay(first.0 + offset);
        let models = models(steps, day.0);
        let quality: Quality = views.quality(None, day, LawBook::default()).await.unwrap();
        assert_eq!(quality.source.position, steps.len() as u64);
        assert_eq!(quality.stale_days, 365);
        for row in &quality.rows {
            let (documents, stale) =
                expected_documents(&models, row.area.0, row.kind, day.0, quality.stale_days);
            assert_eq!(
                (standing(&row.documents), row.stale),
                (standing(&documents), stale),
                "{row:?} on {offset}"
            );
        }
        let monthly: Monthly = views.monthly(None, month, Some(day)).await.unwrap();
        assert_eq!(monthly.source, quality.source);
        for area in &monthly.areas {
            let flows = expected_flows(&models, area.area.0, monthly.from.0);
            assert_eq!(area.flows, flows, "{:?} on {offset}", area.area);
            for of in &area.documents {
                let count = |what: &str| {
                    let what = format!("{:?} {what}", of.kind);
                    let all = models.iter().flat_map(|model| &model.happened);
                    let here = all.filter(|(known, place, day)| {
                        *known == what && *day >= monthly.from.0 && lies_in(*place, area.area.0)
                    });
                    here.count() as i64
                };
                let Documents {
                    linked,
                    failed,
                    refreshed,
                    broken,
                    ..
                } = of.change;
                assert_eq!(
                    [linked, failed, refreshed, broken],
                    ["linked", "failed", "refreshed", "broken"].map(count),
                );
            }
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let raw = (0..ACCOUNTS, any::<u8>(), any::<u8>(), 0i64..700, 0i64..3000);
    proptest::collection::vec(raw, 1..160).prop_map(|raw| {
        let mut minutes = 0;
        let step_of = |(who, kind, n, later, late): (u8, u8, u8, i64, i64)| {
            minutes += later;
            Step {
                late,
                ..step(who, event(kind, n, minutes), later)
            }
        };
        raw.into_iter().map(step_of).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn reports_are_what_the_model_says_while_the_ledger_goes_on_and_after(
        steps in steps(),
        cut in 0usize..160,
    ) {
        runtime().block_on(async {
            let mut world = World::new();
            let cut = cut.min(steps.len());
            world.write_all(&steps[..cut]).await;
            let store: Arc<dyn EventStore> = world.store.clone();
            let live = Views::open_in_memory(store, Options::default()).await.unwrap();
            world.write_all(&steps[cut..]).await;
            let last = Position(steps.len() as u64 - 1);
            live.wait(last, std::time::Duration::from_secs(20)).await.unwrap();
            check(&live, &steps).await;
            let month = Month::of(Micros(START).local_day());
            let told = live.monthly(None, month, None).await.unwrap();
            // Closed: nobody folds any more, and the same is told.
            live.close().await.unwrap();
            assert_eq!(live.monthly(None, month, None).await.unwrap(), told);
            // Folded elsewhere, in other batches, from a copy without sealed parts.
            let options = Options { follow: false, ..Options::default() };
            let copy = Views::open_in_memory(world.redacted().await, options).await.unwrap();
            assert_eq!(copy.monthly(None, month, None).await.unwrap(), told);
        });
    }
}

#[test]
fn months_are_written_in_one_way() {
    let month = Month::parse("2024-02").unwrap();
    let days = (month.first().unwrap(), month.last().unwrap());
    assert_eq!(days.1.0 - days.0.0, 28, "a leap year");
    assert_eq!((Month::of(days.0), Month::of(days.1)), (month, month));
    assert_eq!(month.to_string(), "2024-02");
    let december = Month::parse("2024-12").unwrap();
    assert_eq!(december.last().unwrap().0 - december.first().unwrap().0, 30);
    for bad in [
        "2024-2",
        "2024-13",
        "2024-00",
        "24-02",
        "2024/02",
        "2024-02-01",
        "",
        "+024-02",
        "９９９９-02",
    ] {
        assert_eq!(Month::parse(bad), None, "{bad}");
    }
}

#[tokio::test]
async fn a_day_outside_the_month_is_no_day_of_it() {
    let world = World::new();
    let store: Arc<dyn EventStore> = world.store.clone();
    let views = Views::open_in_memory(store, Options::default())
        .await
        .unwrap();
    let month = Month::parse("2024-02").unwrap();
    let outside = LocalDay(month.last().unwrap().0 + 1);
    assert!(views.monthly(None, month, Some(outside)).await.is_err());
    let empty = views.monthly(None, month, None).await.unwrap();
    assert_eq!((empty.areas.len(), empty.source.position), (1, 0));
}
