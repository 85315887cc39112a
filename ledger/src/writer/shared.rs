//! P10: what a relying party is shown. Opened once, when its `ShareConsumed` was recorded; never
//! stored, never logged, gone with the answer that carries it.

use super::LedgerError;
use super::loaded::{Loaded, open_parts};
use crate::ledger::Ledger;
use crate::store::PAGE_RECORDS_MAX;
use domain::decide::{document_of, value_of};
use domain::event::Event;
use domain::ids::{AccountId, DocumentId, Revision, ShareId, StreamId};
use domain::personal::Personal;
use domain::record::{RecordRef, open_event};
use domain::vocabulary::ShareField;
use zeroize::Zeroize;

/// The values under the fields of a share. Erased when dropped; says nothing of itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SharedValues(Vec<(ShareField, Vec<String>)>);

impl SharedValues {
    /// Every field of the share in its order, with its values: none where it is no longer there,
    /// several where several documents of a kind are linked.
    pub fn fields(&self) -> impl Iterator<Item = (ShareField, &[String])> {
        self.0.iter().map(|(field, values)| (*field, &values[..]))
    }
}

impl core::fmt::Debug for SharedValues {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SharedValues({} fields)", self.0.len())
    }
}

impl Drop for SharedValues {
    fn drop(&mut self) {
        for (_, values) in &mut self.0 {
            values.zeroize();
        }
    }
}

/// Opens what a share shows.
pub(super) async fn open(
    ledger: &Ledger,
    loaded: &Loaded,
    account: AccountId,
    share: ShareId,
) -> Result<SharedValues, LedgerError> {
    let Some(share) = loaded.account.share(share) else {
        return Ok(SharedValues::default());
    };
    let wanted: Vec<(DocumentId, ShareField)> = loaded
        .account
        .documents
        .iter()
        .filter_map(|document| {
            let of = |field: &&ShareField| document_of(**field) == Some(document.kind);
            Some((document.id, *share.fields.iter().find(of)?))
        })
        .collect();
    let documents = numbers(ledger, account, &wanted).await?;
    let values = |field: ShareField| -> Vec<String> {
        if field == ShareField::Phone {
            return loaded
                .registered_phone()
                .map(str::to_owned)
                .into_iter()
                .collect();
        }
        let own = loaded
            .person
            .as_ref()
            .and_then(|person| value_of(person, field));
        let linked = documents.iter().filter(|(of, _)| *of == field);
        own.map(str::to_owned)
            .into_iter()
            .chain(linked.map(|(_, number)| number.clone()))
            .collect()
    };
    let fields = share.fields.iter().map(|field| (*field, values(*field)));
    Ok(SharedValues(fields.collect()))
}

/// The numbers of linked documents, from the events they were declared with.
async fn numbers(
    ledger: &Ledger,
    account: AccountId,
    wanted: &[(DocumentId, ShareField)],
) -> Result<Vec<(ShareField, String)>, LedgerError> {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let (store, stream) = (ledger.store(), StreamId::account(account));
    let mut from = Revision(0);
    loop {
        let page = store.read_stream(stream, from, PAGE_RECORDS_MAX).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        from = Revision(last.revision.0 + 1);
        for record in &page {
            let parsed = RecordRef::parse(&record.bytes)?;
            let envelope = parsed.open_envelope()?;
            let Event::DocumentLinkRequested(facts) = open_event(&envelope)? else {
                continue;
            };
            let field = wanted.iter().find(|(id, _)| *id == facts.document);
            let Some((_, field)) = field else {
                continue;
            };
            for part in open_parts(&parsed, &envelope, ledger.vault())?
                .into_iter()
                .flatten()
            {
                if let Personal::Document(number) = &part {
                    found.push((*field, number.clone()));
                }
            }
        }
    }
}
