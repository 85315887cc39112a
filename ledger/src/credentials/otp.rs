//! One-time codes that are stored nowhere: the code of a challenge is a keyed hash of it, so it can
//! be sent again and compared, and nobody without the key can compute it. What a challenge allows,
//! for how long and how often it may be tried stands in its events.

use crate::secrets::Keys;
use domain::ids::{AccountId, ChallengeId};
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Digits of a code (spec 0.8).
pub const CODE_DIGITS: usize = 6;
const CODES: u32 = 1_000_000;
/// The largest multiple of `CODES` that 32 bits hold: numbers from here on would make small codes
/// more likely, so the next four bytes are taken instead.
const FAIR_BELOW: u32 = u32::MAX - u32::MAX % CODES;

/// Makes and compares codes.
#[derive(Clone, ZeroizeOnDrop)]
pub struct OneTimeCodes([u8; 32]);

impl core::fmt::Debug for OneTimeCodes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OneTimeCodes(…)")
    }
}

impl OneTimeCodes {
    /// Codes under the key for them.
    pub fn new(keys: &Keys) -> Self {
        Self(keys.otp)
    }

    /// The code of a challenge: six digits out of BLAKE3 keyed, over challenge and account.
    pub fn otp_code(&self, challenge: ChallengeId, account: AccountId) -> Zeroizing<String> {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&challenge.0);
        hasher.update(&account.0);
        Zeroizing::new(digits(&mut hasher.finalize_xof()))
    }

    /// Whether a typed code is the challenge's. Takes the same time wherever they differ.
    pub fn otp_matches(&self, challenge: ChallengeId, account: AccountId, typed: &str) -> bool {
        let code = self.otp_code(challenge, account);
        code.as_bytes().ct_eq(typed.trim().as_bytes()).into()
    }
}

fn digits(stream: &mut blake3::OutputReader) -> String {
    loop {
        let mut four = [0; 4];
        stream.fill(&mut four);
        let number = u32::from_le_bytes(four);
        if number < FAIR_BELOW {
            return format!("{:0CODE_DIGITS$}", number % CODES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Secret32;

    fn codes(byte: u8) -> OneTimeCodes {
        OneTimeCodes::new(&Keys::derive(&Secret32([byte; 32])))
    }

    #[test]
    fn a_code_is_six_digits_of_its_challenge_account_and_key() {
        let code = |key, challenge, account| {
            codes(key)
                .otp_code(ChallengeId([challenge; 16]), AccountId([account; 16]))
                .to_string()
        };
        let all: std::collections::HashSet<_> = [
            code(1, 1, 1),
            code(1, 2, 1),
            code(1, 1, 2),
            code(2, 1, 1),
            code(1, 1, 1),
        ]
        .into();
        assert_eq!(all.len(), 4);
        assert!(
            all.iter()
                .all(|c| c.len() == 6 && c.bytes().all(|b| b.is_ascii_digit()))
        );
    }

    #[test]
    fn only_the_right_code_matches() {
        let (codes, challenge, account) = (codes(1), ChallengeId([1; 16]), AccountId([2; 16]));
        let code = codes.otp_code(challenge, account);
        assert!(codes.otp_matches(challenge, account, &code));
        assert!(codes.otp_matches(challenge, account, &format!(" {} ", *code)));
        for wrong in ["", &code[..5], &format!("{}0", *code), "không"] {
            assert!(!codes.otp_matches(challenge, account, wrong));
        }
        assert!(!codes.otp_matches(ChallengeId([3; 16]), account, &code));
    }

    #[test]
    fn codes_are_evenly_spread() {
        const { assert!(FAIR_BELOW.is_multiple_of(CODES) && u32::MAX - FAIR_BELOW < CODES) };
        let codes = codes(1);
        let mut first_digits = [0_u32; 10];
        for number in 0..20_000_u128 {
            let code = codes.otp_code(ChallengeId(number.to_be_bytes()), AccountId([0; 16]));
            first_digits[usize::from(code.as_bytes()[0] - b'0')] += 1;
        }
        // 2,000 expected in each; a deviation of 250 is more than five standard deviations.
        assert!(
            first_digits.iter().all(|count| count.abs_diff(2000) < 250),
            "{first_digits:?}"
        );
    }
}
