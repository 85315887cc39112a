//! What the ledger has yet to do by itself: notices to be sent, registries to be asked again.

use super::Views;
use crate::error::ViewError;
use crate::{outbox, waiting};
use domain::ids::{AccountId, Position};

impl Views {
    /// An account's newest notices, oldest first: its inbox in the app.
    pub fn notices(&self, account: AccountId) -> Result<Vec<outbox::Notice>, ViewError> {
        outbox::of_account(&*self.view(outbox::NAME)?, account)
    }

    /// Accounts with notices after an account, each with its newest notices, oldest first.
    pub fn noticed_accounts(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<(AccountId, Vec<outbox::Notice>)>, ViewError> {
        outbox::accounts(&*self.view(outbox::NAME)?, after, limit)
    }

    /// Notices to be sent (or, `sent`, whose receipt is awaited) after a position, in order.
    pub fn open_notices(
        &self,
        sent: bool,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<outbox::Open>, ViewError> {
        outbox::open(&*self.view(outbox::NAME)?, sent, after, limit)
    }

    /// Answers that registries owe, after a position, in order.
    pub fn owed_answers(
        &self,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<waiting::Owed>, ViewError> {
        waiting::owed(&*self.view(waiting::NAME)?, after, limit)
    }
}
