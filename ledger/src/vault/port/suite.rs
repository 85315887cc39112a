//! What every place for slots must do.

use super::{Found, Inserted, Slots};
use crate::vault::VaultError;
use futures_util::future::join_all;
use std::sync::Arc;
use zeroize::Zeroizing;

fn id(number: u32) -> [u8; 16] {
    let mut id = [0x5a; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

fn payload(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

async fn held(slots: &dyn Slots, number: u32) -> Option<(u32, String)> {
    let Found {
        generation,
        payload,
    } = slots.read(id(number)).await.unwrap()?;
    let text = payload.split(|byte| *byte == 0).next().unwrap();
    Some((generation, String::from_utf8(text.to_vec()).unwrap()))
}

/// Runs the suite on empty slots.
pub(crate) async fn all(slots: Arc<dyn Slots>) {
    once_made_a_slot_is_only_overwritten(&*slots).await;
    many_at_once(&*slots).await;
    of_rivals_one_makes_the_slot(&slots).await;
    of_rivals_one_overwrites(&slots).await;
}

async fn once_made_a_slot_is_only_overwritten(slots: &dyn Slots) {
    assert_eq!(held(slots, 1).await, None);
    assert_eq!(slots.count().await.unwrap(), 0);
    let absent = slots.overwrite(id(1), 1, payload("x")).await;
    assert_eq!(absent, Err(VaultError::Contended));
    let made = slots.insert(id(1), payload("first")).await;
    assert_eq!(made, Ok(Inserted::New));
    assert_eq!(held(slots, 1).await, Some((1, "first".into())));
    for again in ["first", "second"] {
        let made = slots.insert(id(1), payload(again)).await;
        assert_eq!(made, Ok(Inserted::Existing));
    }
    assert_eq!(held(slots, 1).await, Some((1, "first".into())));
    slots.overwrite(id(1), 1, payload("anew")).await.unwrap();
    assert_eq!(held(slots, 1).await, Some((2, "anew".into())));
    for generation in [0, 1, 3, u32::MAX] {
        let late = slots.overwrite(id(1), generation, payload("late")).await;
        assert_eq!(late, Err(VaultError::Contended), "{generation}");
    }
    // Deleting is overwriting with nothing.
    slots.overwrite(id(1), 2, payload("")).await.unwrap();
    assert_eq!(held(slots, 1).await, Some((3, String::new())));
    assert_eq!(slots.count().await.unwrap(), 1);
}

async fn many_at_once(slots: &dyn Slots) {
    let numbers: Vec<u32> = (1000..1300).collect();
    let writes = numbers
        .iter()
        .map(|number| slots.insert(id(*number), payload(&format!("slot {number}"))));
    for made in join_all(writes).await {
        assert_eq!(made, Ok(Inserted::New));
    }
    for number in numbers {
        let expected = Some((1, format!("slot {number}")));
        assert_eq!(held(slots, number).await, expected);
    }
    assert_eq!(slots.count().await.unwrap(), 301);
}

async fn of_rivals_one_makes_the_slot(slots: &Arc<dyn Slots>) {
    for round in 2000..2020 {
        let rivals = (0..8).map(|rival| {
            let slots = slots.clone();
            tokio::spawn(async move {
                let made = slots.insert(id(round), payload(&format!("{rival}"))).await;
                (rival, made.unwrap())
            })
        });
        let mut makers = Vec::new();
        for outcome in join_all(rivals).await {
            let (rival, made) = outcome.unwrap();
            if made == Inserted::New {
                makers.push(rival);
            }
        }
        assert_eq!(makers.len(), 1, "one makes it, everybody else is told");
        let expected = Some((1, makers[0].to_string()));
        assert_eq!(held(&**slots, round).await, expected);
    }
}

async fn of_rivals_one_overwrites(slots: &Arc<dyn Slots>) {
    for generation in 1..20 {
        let rivals = (0..8).map(|rival| {
            let slots = slots.clone();
            tokio::spawn(async move {
                let text = format!("{generation} by {rival}");
                let written = slots.overwrite(id(2000), generation, payload(&text)).await;
                written.map(|()| text)
            })
        });
        let outcomes: Vec<_> = join_all(rivals).await.into_iter().flatten().collect();
        let won: Vec<_> = outcomes.iter().flatten().collect();
        assert_eq!(won.len(), 1);
        let lost = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(
            lost.into_iter()
                .all(|error| *error == VaultError::Contended)
        );
        let expected = Some((generation + 1, won[0].clone()));
        assert_eq!(held(&**slots, 2000).await, expected);
    }
}
