//! A synthetic population: people who do not exist, with numbers that could.
//!
//! Personal numbers have the structure of Hải Dương (code 030, spec C.1): century and sex, year of
//! birth, and a serial. Numbers, phones and card numbers are distinct by construction: each is a
//! bijection of the person's index.

use super::dice::Dice;
use super::names;
use domain::ids::LocalDay;
use domain::personal::Person;

/// Hải Dương city (province 30, district 288).
pub const CITY: u32 = 30_288;
/// Most people the bijections have room for.
pub const PEOPLE_MAX: u64 = 900_000;

/// 1970-01-01 to these days.
const BORN_FROM: i64 = -12_800; // 1934-12-16
const BORN_TO: i64 = 13_936; // 2008-02-27: fourteen when the first account was issued here
const CARD_FROM: i64 = 18_642; // 2021-01-15: first chip cards
const CARD_TO: i64 = 19_050; // 2022-02-27

/// One of them.
pub struct Citizen {
    /// Their data as they would give them.
    pub person: Person,
    /// Whether they hold a chip card.
    pub card: bool,
    /// A second phone number, for those who change theirs.
    pub second_phone: String,
}

impl Citizen {
    /// Person `index` of the population of `seed`. `card`: with a chip card.
    pub fn new(seed: u64, index: u64, card: bool) -> Self {
        let mut dice = Dice::new(seed, "person", index);
        let woman = dice.per_mille(503);
        let born = LocalDay(i32::try_from(dice.between(BORN_FROM, BORN_TO)).unwrap_or_default());
        let (year, month, day) = civil(born);
        let person = Person {
            personal_id: personal_id(index, woman, year),
            full_name: full_name(&mut dice, woman),
            birth_date: format!("{year:04}-{month:02}-{day:02}"),
            sex: if woman { "Nữ" } else { "Nam" }.to_owned(),
            residence: residence(&mut dice),
            phone: phone(index * 2),
            email: String::new(),
            old_id: if year <= 2000 {
                old_id(index)
            } else {
                String::new()
            },
            card_issued: if card {
                issued(&mut dice)
            } else {
                String::new()
            },
        };
        Self {
            person,
            card,
            second_phone: phone(index * 2 + 1),
        }
    }

    /// The card's QR, seven fields (spec C.2).
    pub fn qr(&self) -> String {
        let person = &self.person;
        [
            person.personal_id.as_str(),
            &person.old_id,
            &person.full_name,
            &compact(&person.birth_date),
            &person.sex,
            &person.residence,
            &compact(&person.card_issued),
        ]
        .join("|")
    }

    /// A driving licence's number: 30 for Hải Dương, then as distinct as the people.
    pub fn driving_licence(seed: u64, index: u64) -> String {
        let serial = index.wrapping_mul(7_654_321_987).wrapping_add(seed) % 10_000_000_000;
        format!("30{serial:010}")
    }

    /// A ten-digit insurance number, as distinct.
    pub fn insurance(seed: u64, index: u64) -> String {
        let serial = index.wrapping_mul(61_803_399).wrapping_add(seed) % 100_000_000;
        format!("30{serial:08}")
    }
}

/// `PPP G YY NNNNNN`.
fn personal_id(index: u64, woman: bool, year: i16) -> String {
    let century = if year >= 2000 { 2 } else { 0 };
    let digit = century + u8::from(woman);
    // 387 421 and 10^6 have no common factor, so serials of different people differ.
    let serial = index.wrapping_mul(387_421).wrapping_add(104_729) % 1_000_000;
    format!("030{digit}{:02}{serial:06}", year.rem_euclid(100))
}

fn phone(number: u64) -> String {
    let prefixes = names::MOBILE.len() as u64;
    let prefix = usize::try_from(number % prefixes)
        .ok()
        .and_then(|at| names::MOBILE.get(at))
        .unwrap_or(&"98");
    let line = number.wrapping_mul(3_571_429).wrapping_add(1_234_577) % 10_000_000;
    format!("+84{prefix}{line:07}")
}

/// Old numbers of Hải Dương began with 14.
fn old_id(index: u64) -> String {
    format!(
        "14{:07}",
        index.wrapping_mul(7_654_321).wrapping_add(271_829) % 10_000_000
    )
}

fn full_name(dice: &mut Dice, woman: bool) -> String {
    let family = dice.weighted(names::FAMILY);
    let (middle, given) = if woman {
        (
            dice.weighted(names::MIDDLE_F),
            dice.weighted(names::GIVEN_F),
        )
    } else {
        (
            dice.weighted(names::MIDDLE_M),
            dice.weighted(names::GIVEN_M),
        )
    };
    format!("{family} {middle} {given}")
}

fn residence(dice: &mut Dice) -> String {
    let number = dice.between(1, 480);
    let street = dice.one(names::STREETS, "Quang Trung");
    let ward = dice.one(names::WARDS, "phường Quang Trung");
    format!("Số {number} {street}, {ward}, thành phố Hải Dương, Hải Dương")
}

fn issued(dice: &mut Dice) -> String {
    let day = i32::try_from(dice.between(CARD_FROM, CARD_TO)).unwrap_or_default();
    let (year, month, day) = civil(LocalDay(day));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2024-03-05` → `05032024`.
fn compact(date: &str) -> String {
    let mut parts: Vec<&str> = date.split('-').collect();
    parts.reverse();
    parts.concat()
}

fn civil(day: LocalDay) -> (i16, i8, i8) {
    let epoch = jiff::civil::date(1970, 1, 1);
    let date = epoch.saturating_add(jiff::Span::new().days(day.0));
    (date.year(), date.month(), date.day())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::identity::{CardQr, FullName, PersonalId, Phone};
    use std::collections::HashSet;

    #[test]
    fn people_are_structurally_valid_distinct_and_repeatable() {
        let mut seen = HashSet::new();
        for index in 0..3000 {
            let citizen = Citizen::new(7, index, true);
            let person = &citizen.person;
            let id = PersonalId::try_from(person.personal_id.as_str()).unwrap();
            assert_eq!(id.birth_code(), 30);
            Phone::try_from(person.phone.as_str()).unwrap();
            Phone::try_from(citizen.second_phone.as_str()).unwrap();
            FullName::try_from(person.full_name.as_str()).unwrap();
            let card = CardQr::try_from(citizen.qr().as_str()).unwrap();
            assert_eq!(card.personal_id().as_str(), person.personal_id);
            assert!(
                seen.insert(person.personal_id.clone()),
                "numbers are distinct"
            );
            assert!(seen.insert(person.phone.clone()) && seen.insert(citizen.second_phone.clone()));
        }
        let again = Citizen::new(7, 42, true);
        assert!(again.person == Citizen::new(7, 42, true).person);
        assert!(again.person != Citizen::new(8, 42, true).person);
    }

    #[test]
    fn numbers_stay_distinct_to_the_limit() {
        let mut documents = HashSet::new();
        for index in 0..PEOPLE_MAX {
            assert!(documents.insert(Citizen::insurance(1, index)));
        }
        documents.clear();
        for index in 0..PEOPLE_MAX {
            assert!(documents.insert(Citizen::driving_licence(1, index)));
        }
        let mut numbers = vec![false; 10_000_000];
        for index in 0..PEOPLE_MAX * 2 {
            let text = phone(index);
            // Lines alone are distinct, whatever the prefix.
            let line: usize = text[text.len() - 7..].parse().unwrap();
            assert!(!std::mem::replace(&mut numbers[line], true));
        }
    }
}
