use super::*;
use table::{callers, readers, token_suffices};

const COMMANDS: &[CommandKind] = CommandKind::ALL;

fn token(role: Role) -> Caller {
    Caller::Token {
        principal: PrincipalId([1; 16]),
        role,
    }
}

fn signed() -> Box<Signed> {
    Box::new(Signed {
        key: PublicKey([2; 32]),
        presented: Presented {
            key_id: KeyId([0; 16]),
            nonce: String::new(),
            base: Vec::new(),
            signature: domain::ids::Signature([0; 64]),
        },
    })
}

fn principal(role: Role) -> Caller {
    Caller::Principal {
        principal: PrincipalId([1; 16]),
        role,
        signed: signed(),
    }
}

const fn is_law(command: CommandKind) -> bool {
    use CommandKind as C;
    matches!(
        command,
        C::ProposeLaw | C::PublishPolicy | C::PublishCatalogue | C::PublishLaw | C::RejectLaw
    )
}

#[test]
fn whoever_the_table_lets_in_is_of_a_role_that_the_rules_know() {
    for command in COMMANDS {
        for sort in callers(*command) {
            let role = match sort {
                Sort::Signed(role) => *role,
                Sort::Guardian => Role::Guardian,
                Sort::Representative => Role::Representative,
                _ => Role::Citizen,
            };
            // Law is made in its own streams, by its own rules (`domain::law`).
            let known = if is_law(*command) {
                &[Role::EidAuthority]
            } else {
                domain::decide::roles(*command)
            };
            assert!(
                known.contains(&role),
                "{command:?} lets {sort:?} in, the rules never would"
            );
        }
    }
}

#[test]
fn no_token_asks_for_any_command() {
    for command in COMMANDS {
        for role in Role::ALL {
            assert!(
                token(*role).may_ask(*command).is_err(),
                "{command:?} {role:?}"
            );
        }
    }
}

#[test]
fn the_clock_and_the_operator_do_not_come_over_http() {
    for command in [
        CommandKind::ExpireActivationWindow,
        CommandKind::ExpireProcessingDeadline,
        CommandKind::EnrolPrincipal,
        CommandKind::SettleClaim,
    ] {
        assert!(callers(command).is_empty(), "{command:?}");
        assert!(principal(Role::Operator).may_ask(command).is_err());
    }
}

#[test]
fn nobody_in_particular_is_told_what_is_needed() {
    let code = |command| Caller::Anyone.may_ask(command).unwrap_err().code;
    assert_eq!(
        code(CommandKind::DecideApplication),
        Code::SignatureRequired
    );
    assert_eq!(code(CommandKind::ApplyLevel1), Code::AuthenticationRequired);
    assert!(
        Caller::Anyone
            .may_ask(CommandKind::RegisterAppAccount)
            .is_ok()
    );
    let officer = principal(Role::IntakeOfficer);
    let denied = officer
        .may_ask(CommandKind::DecideApplication)
        .unwrap_err()
        .code;
    assert_eq!(denied, Code::AccessDenied);
}

#[test]
fn reads_are_for_readers_and_for_the_holder() {
    let (own, other) = (AccountId([1; 16]), AccountId([2; 16]));
    let session = Caller::Session {
        account: own,
        verified_by: EventId([3; 16]),
    };
    assert!(session.may_read(Read::Account, Some(own), false).is_ok());
    assert!(session.may_read(Read::Personal, Some(own), false).is_ok());
    for read in [Read::Account, Read::Personal] {
        assert!(session.may_read(read, Some(other), true).is_err());
    }
    assert!(session.may_read(Read::Ledger, None, false).is_err());
    assert!(
        token(Role::Reader)
            .may_read(Read::Ledger, None, false)
            .is_ok()
    );
    assert!(
        token(Role::RelyingParty)
            .may_read(Read::Account, Some(own), false)
            .is_err()
    );
}

#[test]
fn personal_data_and_lookups_are_never_open_and_never_for_a_token() {
    for read in [Read::Personal, Read::Lookup] {
        assert!(!token_suffices(read));
        assert!(Caller::Anyone.may_read(read, None, true).is_err());
        for role in Role::ALL {
            assert!(token(*role).may_read(read, None, true).is_err(), "{role:?}");
        }
        assert!(
            principal(Role::EidAuthority)
                .may_read(read, None, false)
                .is_ok()
        );
        assert!(!readers(read).contains(&Role::Reader));
    }
    assert!(Caller::Anyone.may_read(Read::Ledger, None, true).is_ok());
    assert!(Caller::Anyone.may_read(Read::Ledger, None, false).is_err());
}
