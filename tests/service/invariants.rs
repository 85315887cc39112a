//! Random lives of a handful of people who share numbers, phones and devices, through the real writer: no
//! order of commands breaks what must always hold, and folding the result anew gives the same digests.
//!
//! Commands are drawn to meet: few people, few phones, few devices, procedures that are left half-way. What is
//! judged is the log alone, by a model ([`model`]) that shares no rule with the program, and what the service
//! answers is compared with what that model says.

mod doctored;
mod model;
mod town;

use domain::event::*;
use domain::ids::{
    AccountId, AreaCode, CaseId, ChallengeId, DeviceRef, LocalDay, Micros, PublicKey, VerifierId,
};
use domain::vocabulary::{
    CloseReason, Database, EvidenceStrength, Level, LockGround, MatchResult, Modality, QuestionId,
};
use model::Model;
use projections::digest::ProjectionDigest;
use projections::{Options, Views};
use proptest::prelude::*;
use town::{Dice, Town};

/// Procedures begun in one history.
const BEGUN: usize = 48;
/// Procedures between two comparisons of the service's answers with the model.
const COMPARED_EVERY: usize = 12;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

async fn live(transfer: bool, bytes: &[u8]) -> u64 {
    let mut town = Town::new(transfer).await;
    let mut model = Model::default();
    let mut dice = Dice::new(bytes);
    for number in 1..=BEGUN {
        town.step(&mut dice).await;
        model.read(&town.world).await;
        model.check();
        model.compare_people(&town.people);
        model.compare_phones(town.phones());
        if number % COMPARED_EVERY == 0 || dice.is_over() {
            model.compare_answers(&town.world).await;
        }
        if dice.is_over() {
            break;
        }
    }
    same_when_folded_anew(&town).await;
    model.activated()
}

/// The read models that followed, those of a new start, and those of a copy without sealed parts.
async fn same_when_folded_anew(town: &Town) {
    let world = &town.world;
    world.settle().await;
    let followed = world.views.digests();
    assert!(!followed.is_empty());
    let options = || Options {
        follow: false,
        ..Options::default()
    };
    for store in [world.ledger.store().clone(), model::redacted(world).await] {
        let anew = Views::open_in_memory(store, options()).await.unwrap();
        compare_digests(&anew, &followed);
    }
}

fn compare_digests(anew: &Views, followed: &[ProjectionDigest]) {
    assert_eq!(anew.digests(), followed, "the digests differ");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn no_order_of_commands_breaks_what_must_always_hold(
        transfer in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 200..1200),
    ) {
        runtime().block_on(live(transfer, &bytes));
    }
}

/// One account's way to its activation at a level, and where it may be broken off.
fn way(level: Level, device: u8) -> Vec<Event> {
    let case = CaseId([device; 16]);
    let applied = match level {
        Level::One => Level1Applied {
            case,
            strength: EvidenceStrength::ChipActiveAuth,
            decide_by: LocalDay(1),
        }
        .into(),
        Level::Two => Level2Applied {
            case,
            decide_by: LocalDay(1),
        }
        .into(),
    };
    let matched = |modality| BiometricMatchRecorded {
        case,
        modality,
        database: Database::CitizenCard,
        result: MatchResult::Match,
    };
    let (challenge, verifier) = (ChallengeId([1; 16]), VerifierId([1; 16]));
    let (device, key) = (DeviceRef([device; 16]), PublicKey([device; 32]));
    let (first, second) = (QuestionId::FirstSchool, QuestionId::FirstJob);
    let area = AreaCode(30_288);
    let deadline = Micros(100);
    vec![
        applied,
        matched(Modality::Portrait).into(),
        matched(Modality::Fingerprints).into(),
        AccountIssued { case, level, area }.into(),
        ActivationWindowOpened { deadline }.into(),
        ActivationRequested { device, key }.into(),
        ActivationOtpVerified { challenge }.into(),
        PasswordSet { verifier }.into(),
        PasscodeSet { verifier }.into(),
        SecurityQuestionsSet {
            first,
            second,
            verifier,
        }
        .into(),
        DeviceBound { device, key }.into(),
        AccountActivated { level }.into(),
    ]
}

/// Whether the model lets these happen, one after another, to accounts by number.
fn passes(events: &[(u8, Event)]) -> bool {
    let fold = || {
        let mut model = Model::default();
        for (number, event) in events {
            model.happened(AccountId([*number; 16]), event, Micros(50));
        }
    };
    std::panic::catch_unwind(fold).is_ok()
}

/// Whoever judges must notice: each of these histories is one event away from a good one.
#[test]
fn the_model_notices_what_must_not_be() {
    let of = |number: u8, events: Vec<Event>| -> Vec<(u8, Event)> {
        events.into_iter().map(|event| (number, event)).collect()
    };
    let good = of(1, way(Level::Two, 1));
    assert!(passes(&good) && passes(&of(1, way(Level::One, 1))));
    assert!(passes(&[good.clone(), of(2, way(Level::One, 2))].concat()));
    // Left out: the application, a biometric, the issue, the window, the code, a credential, the device.
    for left_out in 0..good.len() - 1 {
        let mut events = good.clone();
        // What was asked for on a device, and the device, go together.
        events.remove(left_out);
        assert!(!passes(&events), "without {}", good[left_out].1.name());
    }
    let and = |event: Event| [good.clone(), vec![(1, event)]].concat();
    let ground = LockGround::OwnRequest;
    let locked = and(AccountLocked { ground }.into());
    let closed = AccountClosed {
        reason: CloseReason::Death,
    };
    let again = way(Level::Two, 1).pop().unwrap();
    let (device, key) = (DeviceRef([9; 16]), PublicKey([9; 32]));
    let session = Event::from(SessionOpened { device: None });
    assert!(
        passes(&locked) && passes(&and(closed.clone().into())) && passes(&and(session.clone()))
    );
    // The same device elsewhere, another device beside it, a second activation, use while locked and after the end, an
    // unlocking with a ground left, a death that is lifted, a level that falls.
    for bad in [
        [good.clone(), of(2, way(Level::One, 1))].concat(),
        and(DeviceBound { device, key }.into()),
        and(again),
        [locked.clone(), vec![(1, session.clone())]].concat(),
        [locked, vec![(1, AccountUnlocked {}.into())]].concat(),
        [and(closed.into()), vec![(1, session)]].concat(),
        [
            and(AccountLocked {
                ground: LockGround::Death,
            }
            .into()),
            vec![(
                1,
                LockGroundRemoved {
                    ground: LockGround::Death,
                }
                .into(),
            )],
        ]
        .concat(),
        [good.clone(), of(1, way(Level::One, 3)[..4].to_vec())].concat(),
    ] {
        assert!(!passes(&bad), "{:?}", bad.last());
    }
}

/// The histories above are no empty ones: most of what can happen to an account happens in them.
#[test]
fn the_histories_reach_the_far_ends() {
    let mut activated = 0;
    for seed in 0..4_u64 {
        let mut bytes = vec![0; 1200];
        blake3::Hasher::new()
            .update(&seed.to_be_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        activated += runtime().block_on(live(seed % 2 == 0, &bytes));
    }
    assert!(activated >= 4, "{activated} activations");
}
