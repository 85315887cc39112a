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
    let fields: Vec<(DocumentId, ShareField)> = loaded
        .account
        .documents
        .iter()
        .filter_map(|document| {
            let of = |field: &&ShareField| document_of(**field) == Some(document.kind);
            Some((document.id, *share.fields.iter().find(of)?))
        })
        .collect();
    let wanted: Vec<DocumentId> = fields.iter().map(|(id, _)| *id).collect();
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
        let of_field = |document: &DocumentId| fields.contains(&(*document, field));
        let linked = documents.iter().filter(|(id, _)| of_field(id));
        own.map(str::to_owned)
            .into_iter()
            .chain(linked.map(|(_, number)| number.clone()))
            .collect()
    };
    let shown = share.fields.iter().map(|field| (*field, values(*field)));
    Ok(SharedValues(shown.collect()))
}

/// The numbers of documents, from the events they were declared with; of one that waited for its
/// registry, from the event that linked it.
pub(super) async fn numbers(
    ledger: &Ledger,
    account: AccountId,
    wanted: &[DocumentId],
) -> Result<Vec<(DocumentId, String)>, LedgerError> {
    let mut found: Vec<(DocumentId, String)> = Vec::new();
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
            let document = match open_event(&envelope)? {
                Event::DocumentLinkRequested(facts) => facts.document,
                Event::DocumentLinked(facts) => facts.document,
                _ => continue,
            };
            let known = found.iter().any(|(id, _)| *id == document);
            if known || !wanted.contains(&document) {
                continue;
            }
            let opened = open_parts(&parsed, &envelope, ledger.vault()).await?;
            for part in opened.into_iter().flatten() {
                if let Personal::Document(number) = &part {
                    found.push((document, number.clone()));
                }
            }
        }
    }
}
