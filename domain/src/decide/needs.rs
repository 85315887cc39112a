//! What the writer must look up or open before a command can be decided. No more than that: what is
//! not opened cannot leak.

use crate::account::Account;
use crate::command::{Command, Needs, PhoneNeed};
use crate::ids::DeviceRef;
use crate::vocabulary::Database;

/// What [`super::decide`] will read of the context for this command.
// One row a command: a table reads best whole.
#[allow(clippy::too_many_lines, clippy::match_same_arms)]
pub fn needs(account: &Account, command: &Command) -> Needs {
    let own = account.guardian.as_ref();
    let none = Needs {
        guardian: own.map(|known| (known.account, known.dependant)),
        ..Needs::default()
    };
    match command {
        Command::RegisterAppAccount { .. } => Needs {
            personal_id_holder: true,
            phone_holder: Some(PhoneNeed::Commanded),
            registry: Some(Database::Population),
            ..none
        },
        Command::ConfirmRegistrationOtp { challenge } => Needs {
            person: true,
            phone_holder: Some(PhoneNeed::Registered),
            otp: Some(*challenge),
            ..none
        },
        Command::ApplyLevel1 { .. } => Needs {
            person: true,
            registry: Some(Database::Population),
            ..none
        },
        Command::OpenLevel2Intake {
            person,
            with_card_issue,
            ..
        } => Needs {
            person: true,
            personal_id_holder: person.is_some(),
            phone_holder: person.as_ref().map(|_| PhoneNeed::Commanded),
            registry: Some(super::level2::database(*with_card_issue)),
            officer: true,
            ..none
        },
        Command::DecideApplication { refuse: None, .. }
            if account.identification.area.is_none() =>
        {
            Needs {
                registry: Some(Database::Population),
                person: true,
                ..none
            }
        }
        Command::DecideApplication {
            refuse: Some(_), ..
        } => Needs {
            person: true,
            ..none
        },
        Command::NotifyResult { .. } => Needs {
            person: true,
            ..none
        },
        Command::RequestActivation { device, .. } => Needs {
            person: true,
            device_holder: Some(device.device),
            ..none
        },
        Command::ConfirmActivationOtp { challenge } => Needs {
            otp: Some(*challenge),
            device_holder: attempt(account),
            ..none
        },
        Command::SetPassword { .. }
        | Command::SetPasscode { .. }
        | Command::SetSecurityQuestions { .. } => Needs {
            device_holder: attempt(account),
            ..none
        },
        Command::RequestDeviceChange { device } => Needs {
            device_holder: Some(device.device),
            officer: true,
            ..none
        },
        Command::ConfirmDeviceChange { challenge, .. } => Needs {
            device_holder: account.device_change.as_ref().map(|pending| pending.device),
            otp: *challenge,
            officer: true,
            ..none
        },
        Command::RequestPhoneChange { hash, .. } => Needs {
            phone_holder: Some(PhoneNeed::Hash(*hash)),
            officer: true,
            ..none
        },
        Command::ConfirmPhoneChange { challenge } => Needs {
            person: true,
            phone_holder: account
                .phone_change
                .as_ref()
                .map(|p| PhoneNeed::Hash(p.phone)),
            new_phone: true,
            otp: Some(*challenge),
            officer: true,
            ..none
        },
        Command::LinkDocument { .. } => Needs {
            person: true,
            document: true,
            officer: true,
            ..none
        },
        Command::CloseAccount { .. } | Command::ShareData { .. } => Needs {
            person: true,
            ..none
        },
        Command::LinkDependant { .. } => Needs {
            person: true,
            registry: Some(Database::Population),
            relation: true,
            ..none
        },
        Command::OpenDependantAccount { guardian, hash, .. } => Needs {
            personal_id_holder: true,
            registry: Some(Database::Population),
            guardian: Some((*guardian, *hash)),
            ..none
        },
        Command::RecordBiometrics { .. }
        | Command::RecordConsent { .. }
        | Command::SubmitLevel2 { .. }
        | Command::AssistActivation { .. }
        | Command::UnlinkDevice { .. }
        | Command::LockAccount { .. }
        | Command::UnlockAccount { .. }
        | Command::RequestErasure { .. } => Needs {
            officer: true,
            ..none
        },
        _ => none,
    }
}

/// The device a running activation would bind.
fn attempt(account: &Account) -> Option<DeviceRef> {
    account
        .activation
        .attempt
        .as_ref()
        .map(|attempt| attempt.device)
}
