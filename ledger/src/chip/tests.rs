//! Chips that are good, and every way in which one is not.

use super::testing::{BEGIN, Curve, END, Recipe, dg1, dg1_until, tlv};
use super::*;
use crate::pki::der;
use domain::ids::Micros;
use proptest::prelude::*;

const NUMBER: &str = "030184000001";
/// 2030-01-01T00:00:00Z.
const THEN: Micros = Micros(1_893_456_000_000_000);

fn trusting(recipe: &Recipe) -> PassiveAuthentication {
    PassiveAuthentication::new(TrustList::read(recipe.trust_list().as_bytes()).unwrap())
}

fn verify(recipe: &Recipe) -> ChipVerdict {
    trusting(recipe).verify(&recipe.read(), THEN)
}

#[track_caller]
fn faults(recipe: &Recipe, expected: &[ChipFault]) {
    assert_eq!(verify(recipe).proof.faults, expected);
}

#[test]
fn a_good_chip_is_good_on_both_curves_and_however_the_signer_is_named() {
    for curve in [Curve::P256, Curve::P384] {
        for by_key_id in [false, true] {
            let recipe = Recipe {
                curve,
                by_key_id,
                ..Recipe::of(NUMBER)
            };
            let verdict = verify(&recipe);
            assert_eq!(verdict.proof.faults, []);
            assert_eq!(verdict.personal_number.as_ref().unwrap().as_str(), NUMBER);
            assert_eq!(verdict.proof.groups, [1, 2]);
            assert_eq!(verdict.groups.len(), 2);
            assert_eq!(verdict.proof.serial, "00c0ffee01");
            assert_eq!(verdict.proof.issuer, "CN=Test CSCA 1,C=VN");
            let list = recipe.trust_list();
            let digest: [u8; 32] = Sha256::digest(list.as_bytes()).into();
            assert_eq!(verdict.proof.trust_list, Some(Digest(digest)));
            let sod: [u8; 32] = Sha256::digest(recipe.sod()).into();
            assert_eq!(verdict.proof.sod, Digest(sod));
        }
    }
}

#[test]
fn data_groups_may_be_hashed_with_any_of_the_three() {
    for (hash, length) in [(1, 32), (2, 48), (3, 64)] {
        let recipe = Recipe {
            hash,
            ..Recipe::of(NUMBER)
        };
        let verdict = verify(&recipe);
        assert_eq!(verdict.proof.faults, []);
        assert_eq!(verdict.groups[0].hash.len(), length);
    }
}

/// Objects, certificates and signatures that OpenSSL wrote.
#[test]
fn what_another_implementation_wrote_is_good() {
    macro_rules! made {
        ($($name:literal),*) => { [$((
            $name,
            include_bytes!(concat!("fixtures/csca-", $name, ".pem")).as_slice(),
            include_bytes!(concat!("fixtures/sod-", $name, ".der")).as_slice(),
        )),*] };
    }
    let made = made!["p256", "p384", "rsa", "pss"];
    for (name, list, sod) in made {
        let verifier = PassiveAuthentication::new(TrustList::read(list).unwrap());
        let mut read = ChipRead {
            sod: sod.to_vec(),
            groups: vec![
                (
                    1,
                    GroupData::Content(include_bytes!("fixtures/dg1.bin").to_vec()),
                ),
                (
                    2,
                    GroupData::Content(include_bytes!("fixtures/dg2.bin").to_vec()),
                ),
            ],
        };
        let verdict = verifier.verify(&read, THEN);
        assert_eq!(verdict.proof.faults, [], "{name}");
        assert_eq!(verdict.proof.issuer, "CN=Test CSCA,O=Test,C=VN", "{name}");
        assert_eq!(verdict.personal_number.unwrap().as_str(), NUMBER, "{name}");
        // The last byte is the signature's.
        *read.sod.last_mut().unwrap() ^= 1;
        let verdict = verifier.verify(&read, THEN);
        assert_eq!(verdict.proof.faults, [ChipFault::Signature], "{name}");
        // Another list does not vouch for it.
        for (other, list, _) in made.iter().filter(|(other, _, _)| *other != name) {
            let verifier = PassiveAuthentication::new(TrustList::read(list).unwrap());
            let verdict = verifier.verify(&read, THEN);
            let unknown = verdict.proof.faults.contains(&ChipFault::IssuerUnknown);
            // `rsa` and `pss` are the same keys under other signatures.
            let same = name != *other
                && [name, *other]
                    .iter()
                    .all(|one| ["rsa", "pss"].contains(one));
            assert_eq!(unknown, !same, "{name} {other}");
        }
    }
}

#[test]
fn a_certificate_has_its_time() {
    let early = Recipe {
        signer_valid: (1_893_456_001, END),
        ..Recipe::of(NUMBER)
    };
    faults(&early, &[ChipFault::CertificateNotYetValid]);
    let late = Recipe {
        signer_valid: (BEGIN, 1_893_455_999),
        ..Recipe::of(NUMBER)
    };
    faults(&late, &[ChipFault::CertificateExpired]);
    let just = Recipe {
        signer_valid: (1_893_456_000, 1_893_456_000),
        ..Recipe::of(NUMBER)
    };
    faults(&just, &[]);
    let before = Micros(1_893_455_998_000_000);
    let verdict = trusting(&late).verify(&late.read(), before);
    assert_eq!(verdict.proof.faults, [], "it was good when it was read");
    let authority = Recipe {
        authority_valid: (BEGIN, 1_893_455_999),
        ..Recipe::of(NUMBER)
    };
    faults(&authority, &[ChipFault::IssuerOutOfTime]);
}

#[test]
fn nobody_vouches_for_an_authority_that_is_not_in_the_list() {
    let (ours, other) = (
        Recipe::of(NUMBER),
        Recipe {
            authority: 2,
            ..Recipe::of(NUMBER)
        },
    );
    let verdict = trusting(&ours).verify(&other.read(), THEN);
    assert_eq!(verdict.proof.faults, [ChipFault::IssuerUnknown]);
    assert_eq!(verdict.proof.issuer, "", "a forger's name is not told");
    let verdict = PassiveAuthentication::default().verify(&ours.read(), THEN);
    assert_eq!(verdict.proof.faults, [ChipFault::TrustListMissing]);
    // The same name with another key: a forger's own authority.
    let text = other.trust_list() + &ours.trust_list();
    let both = TrustList::read(text.as_bytes()).unwrap();
    assert_eq!((both.len(), both.unusable()), (2, 0));
    assert_eq!(both.subjects()[0], "CN=Test CSCA 2,C=VN");
    let verdict = PassiveAuthentication::new(both).verify(&ours.read(), THEN);
    assert_eq!(verdict.proof.faults, []);
}

#[test]
fn a_certificate_for_something_else_signs_no_documents() {
    let sign_certificates = Recipe {
        signer_usage: 0x04,
        ..Recipe::of(NUMBER)
    };
    let authority = Recipe {
        signer_is_authority: true,
        ..Recipe::of(NUMBER)
    };
    let unknown = Recipe {
        unknown_critical: true,
        ..Recipe::of(NUMBER)
    };
    for recipe in [sign_certificates, authority, unknown] {
        faults(&recipe, &[ChipFault::CertificateUsage]);
    }
}

#[test]
fn a_data_group_is_as_it_was_signed_or_is_not() {
    let recipe = Recipe::of(NUMBER);
    let verifier = trusting(&recipe);
    let mut read = recipe.read();
    read.groups[1] = (2, GroupData::Content(b"another face".to_vec()));
    let verdict = verifier.verify(&read, THEN);
    assert_eq!(verdict.proof.faults, [ChipFault::DataGroupAltered]);
    assert_eq!(verdict.groups.len(), 1, "the altered one is not kept");
    // DG1 of somebody else: neither its hash nor its number counts.
    read.groups[0] = (1, GroupData::Content(dg1("030184000002")));
    let verdict = verifier.verify(&read, THEN);
    assert_eq!(verdict.proof.faults, [ChipFault::DataGroupAltered]);
    assert_eq!(verdict.personal_number, None);
    read.groups = vec![(13, GroupData::Content(Vec::new()))];
    let verdict = verifier.verify(&read, THEN);
    assert_eq!(verdict.proof.faults, [ChipFault::DataGroupUnknown]);
    // By hash only: good, and nothing can be read from it.
    let hash = Sha256::digest(dg1(NUMBER)).to_vec();
    read.groups = vec![(1, GroupData::Hash(hash))];
    let mut verdict = verifier.verify(&read, THEN);
    assert_eq!(verdict.proof.faults, []);
    verdict.of_holder(NUMBER);
    assert_eq!(verdict.proof.faults, [ChipFault::HolderUnknown]);
    read.groups = vec![(1, GroupData::Hash(vec![0; 32]))];
    let verdict = verifier.verify(&read, THEN);
    assert_eq!(verdict.proof.faults, [ChipFault::DataGroupAltered]);
}

#[test]
fn a_card_is_its_holders() {
    let recipe = Recipe::of(NUMBER);
    let mut verdict = verify(&recipe);
    verdict.of_holder(NUMBER);
    assert_eq!(verdict.proof.faults, []);
    verdict.of_holder("030184000002");
    assert_eq!(verdict.proof.faults, [ChipFault::HolderMismatch]);
    let strange = Recipe {
        groups: vec![(1, tlv(0x61, b"no zone"))],
        ..Recipe::of(NUMBER)
    };
    let mut verdict = verify(&strange);
    assert_eq!(verdict.proof.faults, [], "it is signed all the same");
    verdict.of_holder(NUMBER);
    assert_eq!(verdict.proof.faults, [ChipFault::HolderUnknown]);
}

#[test]
fn hashes_that_are_not_taken_and_digests_that_differ() {
    // 4 is SHA-224.
    let weak = Recipe {
        hash: 4,
        ..Recipe::of(NUMBER)
    };
    faults(&weak, &[ChipFault::HashAlgorithm]);
    let wrong = Recipe {
        wrong_digest: true,
        ..Recipe::of(NUMBER)
    };
    faults(&wrong, &[ChipFault::ContentDigest]);
}

#[test]
fn what_is_not_a_security_object_is_malformed() {
    let recipe = Recipe::of(NUMBER);
    let verifier = trusting(&recipe);
    let good = recipe.sod();
    let mut trailing = good.clone();
    trailing.push(0);
    let shorter = good[..good.len() - 1].to_vec();
    let twice = [good.clone(), good.clone()].concat();
    let nested = (0..4000).fold(Vec::new(), |inner, _| tlv(0x30, &inner));
    let bare = good[4..].to_vec();
    let long = vec![0x30; SOD_BYTES_MAX + 1];
    for sod in [trailing, shorter, twice, nested, bare, long, Vec::new()] {
        let read = ChipRead {
            sod,
            groups: Vec::new(),
        };
        let verdict = verifier.verify(&read, THEN);
        assert_eq!(verdict.proof.faults, [ChipFault::SodMalformed]);
        assert_eq!(verdict.proof.certificate, None);
    }
}

#[test]
fn a_trust_list_is_read_whole_or_not() {
    let read = |bytes: &[u8]| TrustList::read(bytes).map(|list| list.len());
    let good = Recipe::of(NUMBER).trust_list();
    assert_eq!(read(good.as_bytes()), Ok(1));
    assert_eq!(read(format!("a word before\n{good}").as_bytes()), Ok(1));
    assert_eq!(read(b""), Err(TrustListError::Empty));
    let second = |list: String| read(list.as_bytes());
    let unreadable = Err(TrustListError::Unreadable { number: 2 });
    let cut = "-----BEGIN CERTIFICATE-----\nMAA=\n";
    assert_eq!(second(format!("{good}{cut}")), unreadable);
    assert_eq!(
        second(format!("{good}{cut}-----END CERTIFICATE-----")),
        unreadable
    );
    assert_eq!(
        read(b"not a certificate"),
        Err(TrustListError::Unreadable { number: 1 })
    );
    assert_eq!(
        read(&vec![b'-'; TRUST_LIST_BYTES_MAX + 1]),
        Err(TrustListError::TooLong)
    );
    // A document signer is no authority.
    let signer = Recipe {
        authority_valid: (BEGIN, END),
        ..Recipe::of(NUMBER)
    };
    let sod = signer.sod();
    let parts = sod::read(&sod).unwrap();
    let certificate = der::bytes(parts.signed.certificates[0]).unwrap();
    let refused = Err(TrustListError::NotAnAuthority { number: 1 });
    assert_eq!(read(&certificate), refused);
}

#[test]
fn a_read_says_nothing_of_itself() {
    let read = Recipe::of(NUMBER).read();
    assert_eq!(format!("{read:?}"), "ChipRead(…)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any change of any byte of a good object that counts: never good, never a panic.
    #[test]
    fn a_changed_object_is_never_good(
        at in any::<prop::sample::Index>(),
        change in 1..=255u8,
        p384 in any::<bool>(),
    ) {
        let curve = if p384 { Curve::P384 } else { Curve::P256 };
        let recipe = Recipe { curve, ..Recipe::of(NUMBER) };
        let mut read = recipe.read();
        let at = at.index(read.sod.len());
        read.sod[at] ^= change;
        let verdict = trusting(&recipe).verify(&read, THEN);
        prop_assert!(
            !verdict.proof.is_good() || same(&read.sod, &recipe.sod()),
            "byte {at} changed by {change:#04x}"
        );
    }

    /// Bytes cut out, put in, or made up.
    #[test]
    fn hostile_bytes_are_read_to_a_verdict(
        from in any::<prop::sample::Index>(),
        cut in 0..64usize,
        put in proptest::collection::vec(any::<u8>(), 0..64),
        rsa in any::<bool>(),
    ) {
        let recipe = Recipe::of(NUMBER);
        let mut sod = if rsa {
            include_bytes!("fixtures/sod-pss.der").to_vec()
        } else {
            recipe.sod()
        };
        let from = from.index(sod.len());
        let to = (from + cut).min(sod.len());
        sod.splice(from..to, put);
        let read = ChipRead { groups: recipe.read().groups.clone(), sod: sod.clone() };
        let verdict = trusting(&recipe).verify(&read, THEN);
        prop_assert!(!verdict.proof.is_good() || same(&sod, &recipe.sod()));
        let _ = TrustList::read(&sod);
        let _ = mrz::zone(&sod);
    }
}

/// Whether two objects are the same in all that counts. What does not: the version numbers of the CMS
/// structures, and the list of digest algorithms in front, which is there for streaming (RFC 5652).
fn same(one: &[u8], other: &[u8]) -> bool {
    let (Ok(one), Ok(other)) = (sod::read(one), sod::read(other)) else {
        return false;
    };
    let all = |sod: &Sod<'_>| {
        let sod = &sod.signed;
        let certificates: Vec<_> = sod
            .certificates
            .iter()
            .map(|one| der::bytes(*one))
            .collect();
        let (content, signature) = (sod.content.to_vec(), sod.signature.to_vec());
        (
            content,
            signature,
            sod.covered.clone(),
            certificates,
            sod.scheme,
            sod.digest,
        )
    };
    all(&one) == all(&other)
}

#[test]
fn a_read_dies_with_the_card() {
    // 2030-01-01T00:00:00Z is seven in the morning there: the first day is still the last.
    for (last_day, expected) in [
        ("300101", &[][..]),
        ("991231", &[]),
        ("<<<<<<", &[]),
        ("291231", &[ChipFault::CardExpired]),
        ("240101", &[ChipFault::CardExpired]),
    ] {
        let recipe = Recipe {
            groups: vec![(1, dg1_until(NUMBER, last_day))],
            ..Recipe::of(NUMBER)
        };
        faults(&recipe, expected);
    }
    for no_day in ["301301", "300230", "3001<<", "+10101", "      "] {
        let recipe = Recipe {
            groups: vec![(1, dg1_until(NUMBER, no_day))],
            ..Recipe::of(NUMBER)
        };
        assert!(verify(&recipe).personal_number.is_none(), "{no_day}");
    }
}
