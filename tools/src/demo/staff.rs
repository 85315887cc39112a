//! Officers, the authority, registry adapters and the hotline: everybody who signs as a principal.

use super::dice::Dice;
use super::names::WARDS;
use domain::ids::{PrincipalId, PublicKey};
use domain::vocabulary::Role;
use ed25519_dalek::SigningKey;
use ledger::ledger::Ledger;
use ledger::writer::LedgerError;

/// Officers at each site.
const OFFICERS_PER_SITE: u64 = 2;

/// One principal with their key.
pub struct Member {
    /// As enrolled.
    pub principal: PrincipalId,
    /// As what.
    pub role: Role,
    /// Their own key.
    pub key: SigningKey,
}

/// Everybody who signs.
pub struct Staff {
    officers: Vec<Member>,
    /// The eID authority.
    pub authority: Member,
    /// Adapter of the citizen card database.
    pub card_adapter: Member,
    /// Adapter of the population database.
    pub population_adapter: Member,
    /// The hotline.
    pub hotline: Member,
}

impl Staff {
    /// Enrols them, each with a key of their own.
    pub async fn enrol(ledger: &Ledger, seed: u64) -> Result<Self, LedgerError> {
        let mut number = 0;
        let mut enrol = async |role: Role, sites: Vec<u32>, name: String| {
            number += 1;
            let key = SigningKey::from_bytes(&Dice::new(seed, "staff", number).bytes());
            let public = PublicKey(key.verifying_key().to_bytes());
            let principal = ledger
                .enrol(role, Some(public), None, sites, Some(name))
                .await?;
            Ok::<Member, LedgerError>(Member {
                principal,
                role,
                key,
            })
        };
        let mut officers = Vec::new();
        for (site, ward) in (1..).zip(WARDS) {
            for desk in 1..=OFFICERS_PER_SITE {
                let name = format!("Cán bộ {desk}, Công an {ward} (mô phỏng)");
                officers.push(enrol(Role::IntakeOfficer, vec![site], name).await?);
            }
        }
        let name = |text: &str| format!("{text} (mô phỏng)");
        Ok(Self {
            officers,
            authority: enrol(
                Role::EidAuthority,
                vec![],
                name("Cơ quan quản lý định danh"),
            )
            .await?,
            card_adapter: enrol(Role::RegistryAdapter, vec![], name("CSDL CCCD")).await?,
            population_adapter: enrol(Role::RegistryAdapter, vec![], name("CSDLQG về dân cư"))
                .await?,
            hotline: enrol(Role::HotlineAgent, vec![], name("Tổng đài")).await?,
        })
    }

    /// The officer a person meets, and at which site.
    pub fn desk(&self, person: u64) -> Option<(&Member, u32)> {
        let at = usize::try_from(person % self.officers.len() as u64).ok()?;
        let site = at as u64 / OFFICERS_PER_SITE + 1;
        Some((self.officers.get(at)?, u32::try_from(site).ok()?))
    }
}
