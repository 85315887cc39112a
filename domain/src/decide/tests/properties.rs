//! What holds after any commands in any order, under any surroundings.

use super::*;
use crate::account::Account;
use crate::event::Event;
use crate::testing::{any_command, any_event, any_surroundings, build_command, fold};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_event_order_folds_and_the_state_stays_small(
        events in proptest::collection::vec(any_event(), 0..120)
    ) {
        let mut account = Account::default();
        fold(&mut account, &events, crate::testing::NOON);
        prop_assert_eq!(account.next_revision().0, events.len() as u64);
        prop_assert_eq!(account.is_locked(), !account.locks.is_empty());
        let bytes = crate::bytes::encode(&account).unwrap();
        prop_assert!(bytes.len() < 7 * 1024, "{}", bytes.len());
        prop_assert_eq!(&crate::bytes::decode::<Account>(&bytes).unwrap(), &account);
        let json = serde_json::to_string(&account).unwrap();
        prop_assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account);
    }

    #[test]
    fn invariants_hold_after_any_commands(
        steps in proptest::collection::vec((any_command(), any_surroundings(), 0_u8..40), 1..60),
        start in 0_usize..4,
    ) {
        let mut s = match start {
            0 => Scenario::new(),
            1 => level1(),
            2 => activate(level1()),
            _ => level2(),
        };
        for (drawn, world, hours) in steps {
            let now = s.world.now.plus(i64::from(hours) * 3600 * SECOND);
            s.world = crate::testing::Surroundings { now, ..world };
            let before = s.account.clone();
            let (role, command) = build_command(&drawn, &s.account);
            let then = s.when(role, &command);
            check(&before, &s.account, &then.decision)?;
        }
    }
}

fn check(
    before: &Account,
    after: &Account,
    decision: &crate::command::Decision,
) -> Result<(), TestCaseError> {
    let names: Vec<_> = decision.events.iter().map(|new| new.event.name()).collect();
    let activated = names.contains(&"AccountActivated");
    if activated {
        prop_assert!(
            after.credentials.complete() && after.device.is_some(),
            "{names:?}"
        );
        prop_assert!(after.level().is_some() && !before.is_locked(), "{names:?}");
    }
    let imported = names.contains(&"ActivationImported");
    prop_assert!(!after.is_activated() || before.is_activated() || activated || imported);
    prop_assert!(
        !before.is_activated() || after.is_activated(),
        "activation is never lost"
    );
    prop_assert!(after.level() >= before.level(), "the level never falls");
    prop_assert!(after.identification.stage >= before.identification.stage);
    if before.is_closed() {
        prop_assert!(decision.refused().is_some() && after.is_closed());
    }
    let unlocked = names.contains(&"AccountUnlocked");
    prop_assert_eq!(unlocked, before.is_locked() && !after.is_locked());
    prop_assert!(
        after
            .cases
            .iter()
            .filter(|case| case.state.is_open())
            .count()
            <= 1
    );
    let refused = decision.refused().is_some();
    prop_assert!(
        refused || !names.is_empty(),
        "accepted and nothing happened"
    );
    if refused && !names.is_empty() {
        prop_assert_eq!(names.last(), Some(&"CommandRejected"));
    }
    if refused {
        prop_assert!(decision.claims.is_empty() && decision.first.is_empty());
    }
    let rejected = decision
        .events
        .iter()
        .any(|new| matches!(new.event, Event::CommandRejected(_)));
    prop_assert!(refused || !rejected);
    Ok(())
}
