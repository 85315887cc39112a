//! What the writer must look up or open before a command can be decided. No more than that: what is
//! not opened cannot leak.

use crate::account::{Account, HolderKind, Waiting};
use crate::command::{Command, Needs, PhoneNeed};
use crate::ids::{CaseId, DeviceRef};
use crate::personal::TravelDocument;
use crate::vocabulary::{Awaited, Database};

/// What [`super::decide`] will read of the context for this command.
// One row a command: a table reads best whole.
#[allow(clippy::too_many_lines, clippy::match_same_arms)]
pub fn needs(account: &Account, command: &Command) -> Needs {
    let own = account.guardian.as_ref();
    let none = Needs {
        guardian: own.map(|known| (known.account, known.dependant)),
        representative: account
            .organisation
            .as_ref()
            .map(|known| known.representative),
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
            registry: Some(home(account)),
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
        Command::DecideApplication { case, refuse: None } => match owed(account, *case) {
            Some(database) => Needs {
                registry: Some(database),
                person: true,
                ..none
            },
            None => none,
        },
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
            officer: true,
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
        Command::LinkDependant { document, .. } => Needs {
            person: true,
            registry: Some(home_of(document.as_ref())),
            relation: true,
            ..none
        },
        Command::RegisterForeigner { .. } => Needs {
            personal_id_holder: true,
            phone_holder: Some(PhoneNeed::Commanded),
            registry: Some(Database::Immigration),
            ..none
        },
        Command::OpenForeignerIntake { person, .. } => Needs {
            person: true,
            personal_id_holder: person.is_some(),
            phone_holder: person.as_ref().map(|_| PhoneNeed::Commanded),
            registry: Some(Database::Immigration),
            officer: true,
            ..none
        },
        Command::RegisterOrganisation { representative, .. } => Needs {
            personal_id_holder: true,
            organisation: true,
            representative: Some(*representative),
            ..none
        },
        Command::OpenOrganisationIntake { representative, .. } => Needs {
            personal_id_holder: true,
            organisation: true,
            representative: Some(*representative),
            officer: true,
            ..none
        },
        Command::AnswerForOrganisation { representative, .. } => Needs {
            representative: Some(*representative),
            ..none
        },
        Command::ChangeRepresentative { representative } => Needs {
            organisation: true,
            representative: Some(*representative),
            ..none
        },
        Command::ImportAccount { .. } => Needs {
            personal_id_holder: true,
            phone_holder: Some(PhoneNeed::Commanded),
            ..none
        },
        Command::OpenDependantAccount {
            guardian,
            hash,
            document,
            ..
        } => Needs {
            personal_id_holder: true,
            registry: Some(home_of(document.as_ref())),
            guardian: Some((*guardian, *hash)),
            ..none
        },
        Command::SubmitLevel2 { case } => Needs {
            officer: true,
            person: true,
            biometrics: account
                .case(*case)
                .filter(|dossier| {
                    !dossier.with_card_issue && matches!(account.holder, HolderKind::Citizen)
                })
                .map(|dossier| (dossier.id, None)),
            ..none
        },
        Command::AskRegistry { request } => match account.awaited(*request) {
            Some(known) => again(known, none),
            None => none,
        },
        Command::RecordBiometrics { .. }
        | Command::RecordConsent { .. }
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

/// Who must say that the person is who they say, before a dossier is approved: the registry that did
/// not answer at the desk, or, where nobody knows where the person resides, the population's.
fn owed(account: &Account, case: CaseId) -> Option<Database> {
    let identity = account
        .waiting
        .iter()
        .find(|known| known.what == Awaited::Identity(case));
    let unknown =
        account.identification.area.is_none() && account.holder != HolderKind::Organisation;
    // About an organisation only the ledger itself asks again.
    identity
        .map(|known| known.database)
        .filter(|database| *database != Database::Organisations)
        .or(unknown.then_some(home(account)))
}

/// What a registry is asked again.
fn again(known: &Waiting, none: Needs) -> Needs {
    let needs = Needs {
        person: true,
        ..none
    };
    match known.what {
        Awaited::Identity(_) if known.database == Database::Organisations => Needs {
            organisation: true,
            ..needs
        },
        Awaited::Identity(_) => Needs {
            registry: Some(known.database),
            ..needs
        },
        Awaited::Biometric(case, modality) => Needs {
            biometrics: Some((case, Some(modality))),
            ..needs
        },
        Awaited::Document(document, kind) => Needs {
            document: true,
            declared: Some((document, kind)),
            ..needs
        },
    }
}

/// The database that knows the holder.
const fn home(account: &Account) -> Database {
    match account.holder {
        HolderKind::Citizen => Database::Population,
        HolderKind::Foreigner => Database::Immigration,
        HolderKind::Organisation => Database::Organisations,
    }
}

/// The database that knows a child or ward: foreigners come with a travel document.
pub(super) const fn home_of(document: Option<&TravelDocument>) -> Database {
    match document {
        Some(_) => Database::Immigration,
        None => Database::Population,
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
