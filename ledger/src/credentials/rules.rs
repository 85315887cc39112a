//! What may be chosen as a password or passcode. Owner's rules (the law is silent): a password has
//! 8 to 128 characters and is not one that attackers try first; a passcode is six digits and no
//! pattern. Neither is made of the holder's own data.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Most characters of a password, after normalisation.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Digits of a passcode (S003 step 5).
pub const PASSCODE_DIGITS: usize = 6;
/// Most characters of one answer, after normalisation.
pub const ANSWER_CHARS_MAX: usize = 128;
/// Longest typed text that is normalised at all, in bytes.
const TYPED_BYTES_MAX: usize = 1024;

/// Lower case, without the digits and signs before and after.
const COMMON: &str = include_str!("common_passwords.txt");
const COMMON_PASSCODES: &[&str] = &[
    "101010", "102030", "110110", "112211", "112233", "113114", "113115", "121314", "123654",
    "131313", "147258", "147369", "147852", "159357", "159753", "159951", "168168", "168888",
    "246810", "258258", "258369", "258456", "292929", "332211", "357159", "369258", "456123",
    "520520", "521521", "686868", "696969", "741852", "753159", "778899", "787878", "789456",
    "797979", "852456", "888666", "911911", "951753", "963852", "987123", "998877",
];

/// Why a password or passcode may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// Too short, too long, or not six digits.
    #[error("the form is wrong")]
    Form,
    /// One of those that are tried first.
    #[error("it is too common")]
    Common,
}

impl NotAllowed {
    /// As `domain::command::Context::credential_allowed` takes it: whether the form is wrong.
    pub const fn is_form(self) -> bool {
        matches!(self, Self::Form)
    }
}

/// What is known of the holder, none of which makes a secret. Empty where it is not known.
#[derive(Clone, Copy, Default)]
pub struct About<'a> {
    /// Twelve digits.
    pub personal_id: &'a str,
    /// E.164.
    pub phone: &'a str,
    /// ISO 8601.
    pub birth_date: &'a str,
}

/// A password in the form that is hashed: NFKC, so that every keyboard types the same one.
pub fn password_form(typed: &str) -> Result<Zeroizing<String>, NotAllowed> {
    if typed.len() > TYPED_BYTES_MAX {
        return Err(NotAllowed::Form);
    }
    let password: Zeroizing<String> = Zeroizing::new(typed.nfkc().collect());
    let characters = password.chars().count();
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&characters)
        || password.chars().any(char::is_control)
    {
        return Err(NotAllowed::Form);
    }
    Ok(password)
}

/// An answer in the form that is hashed: NFKC, lower case, single spaces.
pub fn answer_form(typed: &str) -> Result<Zeroizing<String>, NotAllowed> {
    if typed.len() > TYPED_BYTES_MAX {
        return Err(NotAllowed::Form);
    }
    let folded: Zeroizing<String> = Zeroizing::new(typed.nfkc().collect::<String>().to_lowercase());
    let words: Vec<&str> = folded.split_whitespace().collect();
    let answer = Zeroizing::new(words.join(" "));
    if answer.is_empty() || answer.chars().count() > ANSWER_CHARS_MAX {
        return Err(NotAllowed::Form);
    }
    Ok(answer)
}

/// Whether a password may be chosen.
pub fn password_allowed(typed: &str, about: About<'_>) -> Result<(), NotAllowed> {
    let password = password_form(typed)?;
    let folded = Zeroizing::new(password.to_lowercase());
    let core = folded.trim_matches(|c: char| !c.is_alphabetic());
    let digits: Zeroizing<String> =
        Zeroizing::new(folded.chars().filter(char::is_ascii_digit).collect());
    let common = is_sequence(&folded)
        || is_repetition(&folded)
        || COMMON
            .lines()
            .any(|word| word == core || word == folded.as_str())
        || (core.is_empty() && (is_sequence(&digits) || is_repetition(&digits)));
    let own = own_numbers(about).any(|number| number == digits && core.chars().count() < 4);
    if common || own {
        Err(NotAllowed::Common)
    } else {
        Ok(())
    }
}

/// Whether a passcode may be chosen.
pub fn passcode_allowed(passcode: &str, about: About<'_>) -> Result<(), NotAllowed> {
    if passcode.len() != PASSCODE_DIGITS || !passcode.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAllowed::Form);
    }
    let common = is_sequence(passcode)
        || is_repetition(passcode)
        || is_mirrored(passcode)
        || COMMON_PASSCODES.contains(&passcode);
    let own = own_numbers(about).any(|number| number.ends_with(passcode));
    if common || own || is_date_of(passcode, about.birth_date) {
        return Err(NotAllowed::Common);
    }
    Ok(())
}

/// Each character follows the one before by the same step of -1, 0 or 1 (9 and 0 are neighbours).
fn is_sequence(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    [0, 1, -1].into_iter().any(|step: i64| {
        characters.windows(2).all(|pair| match pair {
            [first, second] => {
                let by = i64::from(u32::from(*second)) - i64::from(u32::from(*first));
                let around = first.is_ascii_digit() && second.is_ascii_digit() && by == -9 * step;
                by == step || (around && step != 0)
            }
            _ => true,
        })
    })
}

/// A short piece again and again: `121212`, `abcabcabc`.
fn is_repetition(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    (1..=characters.len() / 2).any(|period| {
        characters
            .iter()
            .zip(characters.iter().skip(period))
            .all(|(a, b)| a == b)
    })
}

fn is_mirrored(text: &str) -> bool {
    text.chars().eq(text.chars().rev())
}

fn own_numbers(about: About<'_>) -> impl Iterator<Item = Zeroizing<String>> {
    let digits = |text: &str| -> Zeroizing<String> {
        Zeroizing::new(text.chars().filter(char::is_ascii_digit).collect())
    };
    let national = about
        .phone
        .strip_prefix("+84")
        .map(|rest| format!("0{}", digits(rest).as_str()));
    [
        digits(about.personal_id),
        digits(about.phone),
        Zeroizing::new(national.unwrap_or_default()),
    ]
    .into_iter()
    .chain([digits(about.birth_date)])
    .filter(|number| number.len() >= PASSCODE_DIGITS)
}

/// The birth date as two-digit day, month and year in any usual order.
fn is_date_of(passcode: &str, birth_date: &str) -> bool {
    let mut parts = birth_date.split('-');
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let year = year.get(2..4).unwrap_or_default();
    [[day, month, year], [year, month, day], [month, day, year]]
        .iter()
        .any(|order| order.concat() == passcode)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'static> = About {
        personal_id: "030199012345",
        phone: "+84912345678",
        birth_date: "1999-12-31",
    };

    #[test]
    fn common_passwords_are_refused_however_they_are_dressed_up() {
        for password in [
            "password",
            "Password1",
            "PASSWORD123!",
            "12345678",
            "123456789",
            "87654321",
            "11111111",
            "aaaaaaaa",
            "abcdefgh",
            "matkhau123",
            "Matkhau@2024",
            "iloveyou",
            "anhyeuem",
            "vietnam2024",
            "qwertyuiop",
            "1q2w3e4r",
            "abc12345",
            "12121212",
            "abcabcabc",
            "030199012345",
            "0912345678",
            "+84912345678",
            "31121999x",
            "19991231",
        ] {
            let expected = match password {
                "31121999x" => Ok(()),
                _ => Err(NotAllowed::Common),
            };
            assert_eq!(password_allowed(password, ABOUT), expected, "{password}");
        }
    }

    #[test]
    fn passwords_have_a_form() {
        for password in [
            "",
            "kzgh12",
            "7 chars",
            &"a b".repeat(50),
            "kzgh\u{0}12345",
            &"ộ".repeat(1000),
        ] {
            assert_eq!(password_allowed(password, ABOUT), Err(NotAllowed::Form));
        }
        for password in [
            "con mèo nằm trên mái",
            "xK9#mQ2$vL",
            "ộộệệửửừừ",
            &"kz1 ".repeat(30)[..119],
        ] {
            let allowed = password_allowed(password, ABOUT);
            assert!(allowed.is_ok() || password.starts_with("kz1"), "{password}");
        }
        assert!(NotAllowed::Form.is_form() && !NotAllowed::Common.is_form());
    }

    #[test]
    fn one_password_has_one_form_on_every_keyboard() {
        assert_eq!(
            password_form("ma\u{323}\u{302}t kha\u{302}\u{309}u")
                .unwrap()
                .as_str(),
            "mật khẩu"
        );
        assert_eq!(
            answer_form("  Trường   Tiểu học\u{a0}A ").unwrap().as_str(),
            "trường tiểu học a"
        );
        assert_eq!(answer_form("   ").unwrap_err(), NotAllowed::Form);
        assert_eq!(answer_form(&"a".repeat(129)).unwrap_err(), NotAllowed::Form);
    }

    #[test]
    fn passcodes_are_six_digits_and_no_pattern() {
        for passcode in ["", "12345", "1234567", "12345a", "１２３４５６", "12 456"] {
            assert_eq!(
                passcode_allowed(passcode, ABOUT),
                Err(NotAllowed::Form),
                "{passcode}"
            );
        }
        for passcode in [
            "000000", "123456", "654321", "890123", "121212", "123123", "123321", "147258",
            "012345", "345678", "311299", "991231", "123199", "319999",
        ] {
            let expected = match passcode {
                "319999" => Ok(()),
                _ => Err(NotAllowed::Common),
            };
            assert_eq!(passcode_allowed(passcode, ABOUT), expected, "{passcode}");
        }
        let allowed = (0..1_000_000)
            .step_by(43)
            .filter(|n| passcode_allowed(&format!("{n:06}"), About::default()).is_ok())
            .count();
        assert!(
            allowed > 23_150,
            "the list takes away next to nothing: {allowed} of 23,256"
        );
    }

    #[test]
    fn the_list_is_in_the_form_it_is_compared_in() {
        let words: Vec<&str> = COMMON.lines().collect();
        assert!(words.len() >= 180, "{}", words.len());
        let mut sorted = words.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, words, "sorted, nothing twice");
        assert!(
            words
                .iter()
                .all(|word| *word == word.to_lowercase() && !word.is_empty())
        );
    }
}
