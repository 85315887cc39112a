//! Who may act besides account holders: officers, adapters, authorities, readers. A fold of the one
//! `principal` stream, kept in memory.

use domain::event::Event;
use domain::ids::{Digest, KeyId, Micros, PrincipalId, PublicKey};
use domain::vocabulary::Role;
use std::collections::HashMap;

/// One principal as enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub id: PrincipalId,
    /// As what.
    pub role: Role,
    /// The key they sign with.
    pub key: Option<PublicKey>,
    /// BLAKE3 of their bearer token.
    pub token: Option<Digest>,
    /// Intake sites.
    pub sites: Vec<u32>,
    /// First instant.
    pub from: Micros,
    /// First instant at which nothing counts any more.
    pub until: Option<Micros>,
}

impl Principal {
    /// Whether they may act at this instant.
    pub fn active(&self, at: Micros) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// All principals.
#[derive(Debug, Clone, Default)]
pub struct Principals {
    people: HashMap<PrincipalId, Principal>,
    keys: HashMap<KeyId, PrincipalId>,
    tokens: HashMap<Digest, PrincipalId>,
}

impl Principals {
    /// Takes in one event.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::PrincipalEnrolled(facts) => {
                if let Some(key) = facts.key {
                    self.keys.insert(key.id(), facts.principal);
                }
                if let Some(token) = facts.token {
                    self.tokens.insert(token, facts.principal);
                }
                self.people.insert(
                    facts.principal,
                    Principal {
                        id: facts.principal,
                        role: facts.role,
                        key: facts.key,
                        token: facts.token,
                        sites: facts.sites.clone(),
                        from: facts.from,
                        until: None,
                    },
                );
            }
            Event::PrincipalRevoked(facts) => {
                if let Some(principal) = self.people.get_mut(&facts.principal) {
                    principal.until = Some(facts.from);
                }
            }
            _ => {}
        }
    }

    /// By id.
    pub fn get(&self, id: PrincipalId) -> Option<&Principal> {
        self.people.get(&id)
    }

    /// By signing key.
    pub fn by_key(&self, key: KeyId) -> Option<&Principal> {
        self.people.get(self.keys.get(&key)?)
    }

    /// By the BLAKE3 of a bearer token.
    pub fn by_token(&self, token: Digest) -> Option<&Principal> {
        self.people.get(self.tokens.get(&token)?)
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Principal> {
        self.people.values()
    }
}
