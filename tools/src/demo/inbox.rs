//! The simulated SMS channel: the last code of each account, in memory only.

use domain::ids::AccountId;
use ledger::messenger::{Messenger, OutgoingMessage};
use parking_lot::Mutex;
use std::collections::HashMap;

/// Codes that were sent and not read yet.
#[derive(Default)]
pub struct Inbox {
    codes: Mutex<HashMap<AccountId, String>>,
}

impl Inbox {
    /// Takes out the last code of an account.
    pub fn take(&self, account: AccountId) -> Option<String> {
        self.codes.lock().remove(&account)
    }
}

impl Messenger for Inbox {
    fn send(&self, message: OutgoingMessage) {
        if let Some(code) = message.code.clone() {
            self.codes.lock().insert(message.account, code);
        }
    }
}
