//! Who gives a command: the holder, a guardian or a representative with the device bound to their own
//! account. Whether they may is for the rules; here only whose key it is.

use super::LedgerError;
use super::loaded::Loaded;
use super::submit::Job;
use domain::command::Command;
use domain::ids::AccountId;
use domain::vocabulary::Role;

impl Job<'_> {
    /// A citizen acts for their own account only, with its own device's key if with one.
    pub(super) fn check_holder(&self, loaded: &Loaded) -> Result<(), LedgerError> {
        let actor = self.submission.actor;
        if actor.role != Role::Citizen {
            return Ok(());
        }
        let own = actor.principal.0 == self.account.0 || actor.principal.0 == [0; 16];
        let device = loaded.account.device.as_ref().map(|device| device.key.id());
        // A device that is being introduced signs its own introduction; the rules decide on it.
        let introduced = match &self.command {
            Command::RequestActivation { device, .. } | Command::RequestDeviceChange { device } => {
                Some(device.key.id())
            }
            _ => pending_key(&loaded.account).map(|key| key.id()),
        };
        let key_good = actor.key.is_none() || actor.key == device || actor.key == introduced;
        if own && key_good {
            Ok(())
        } else {
            Err(LedgerError::Unauthorised)
        }
    }

    /// A guardian acts with the key of the device bound to their own account, and for nobody but
    /// their dependants; whether they still may is for the rules.
    pub(super) async fn check_guardian(&self, loaded: &Loaded) -> Result<(), LedgerError> {
        let actor = self.submission.actor;
        if actor.role != Role::Guardian {
            return Ok(());
        }
        let guardian = match &self.command {
            Command::OpenDependantAccount { guardian, .. } => Some(*guardian),
            _ => loaded.account.guardian.as_ref().map(|known| known.account),
        };
        let guardian = guardian
            .filter(|guardian| guardian.0 == actor.principal.0)
            .ok_or(LedgerError::Unauthorised)?;
        self.check_device_of(guardian).await
    }

    /// P7 knows a device by its own signature. Where that is the one bound to the account of a
    /// dependant's guardian, it is the guardian who asks, in their own name.
    pub(super) async fn recognise_guardian(&mut self, loaded: &Loaded) -> Result<(), LedgerError> {
        let of_activation = matches!(
            self.command,
            Command::RequestActivation { .. }
                | Command::ConfirmActivationOtp { .. }
                | Command::SetPassword { .. }
                | Command::SetPasscode { .. }
                | Command::SetSecurityQuestions { .. }
        );
        let actor = self.submission.actor;
        let Some(guardian) = loaded.account.guardian.as_ref() else {
            return Ok(());
        };
        if !of_activation || actor.role != Role::Citizen || actor.key.is_none() {
            return Ok(());
        }
        match Box::pin(self.check_device_of(guardian.account)).await {
            Ok(()) => self.guardian = Some(guardian.account),
            Err(LedgerError::Unauthorised) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A legal representative acts with the key of the device bound to their own account. Who is not
    /// (yet) this organisation's names themselves in the command; whether they may is for the rules.
    pub(super) async fn check_representative(&self, loaded: &Loaded) -> Result<(), LedgerError> {
        let actor = self.submission.actor;
        if actor.role != Role::Representative {
            return Ok(());
        }
        let named = match &self.command {
            Command::RegisterOrganisation { representative, .. }
            | Command::AnswerForOrganisation { representative, .. }
            | Command::ChangeRepresentative { representative } => Some(*representative),
            _ => loaded
                .account
                .organisation
                .as_ref()
                .map(|known| known.representative),
        };
        let own = named
            .filter(|named| named.0 == actor.principal.0)
            .ok_or(LedgerError::Unauthorised)?;
        self.check_device_of(own).await
    }

    /// The actor signed with the key of the device bound to this account.
    pub(super) async fn check_device_of(&self, account: AccountId) -> Result<(), LedgerError> {
        let (store, vault) = (self.ledger.store().as_ref(), self.ledger.vault());
        let mut own = Loaded::default();
        own.catch_up(store, vault, account).await?;
        let device = own.account.device.as_ref().map(|device| device.key.id());
        if device.is_some() && device == self.submission.actor.key {
            Ok(())
        } else {
            Err(LedgerError::Unauthorised)
        }
    }

    /// Who asked; a citizen who has just become an account holder is named by it.
    pub(super) fn actor(&self) -> domain::envelope::Actor {
        let mut actor = self.submission.actor;
        if let Some(guardian) = self.guardian {
            actor.role = Role::Guardian;
            actor.principal = domain::ids::PrincipalId(guardian.0);
        } else if actor.role == Role::Citizen {
            actor.principal = domain::ids::PrincipalId(self.account.0);
        }
        actor
    }
}

/// The key of a device that is being introduced.
fn pending_key(account: &domain::account::Account) -> Option<domain::ids::PublicKey> {
    let attempt = account
        .activation
        .attempt
        .as_ref()
        .map(|attempt| attempt.key);
    attempt.or(account.device_change.as_ref().map(|change| change.key))
}
