//! What every store does.

mod documents;
mod events;
mod indexes;
mod outbox;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use landfall_common::RequestId;
use landfall_common::ports::{
    Commit, Document, DocumentKey, DocumentKind, DocumentWrite, Expect, IndexEntry, IndexQuery, IndexWrite,
    Order, OutboxWrite, Score, Store, Write,
};
use uuid::Uuid;

pub use documents::*;
pub use events::*;
pub use indexes::*;
pub use outbox::*;
pub use requests::*;

/// A store under test.
pub type Subject = Arc<dyn Store>;

/// Makes a test of each property of a store.
#[macro_export]
macro_rules! store_conformance {
    ($fresh:path) => {
        $crate::conformance_tests!(
            $fresh,
            store: a_written_document_reads_back_byte_for_byte,
            documents_load_in_the_order_asked_for,
            every_expectation_is_checked,
            a_deleted_document_does_not_reuse_its_versions,
            an_expired_document_is_absent_and_does_not_reuse_its_versions,
            a_document_written_again_without_expiry_stays,
            of_100_concurrent_commits_one_wins_each_version,
            a_conflict_leaves_nothing_half_written,
            the_same_request_again_returns_the_first_result,
            a_request_sent_many_times_at_once_happens_once,
            the_time_of_a_commit_lies_between_the_loads_around_it,
            the_store_says_that_it_is_well,
            ephemeral_values_read_back_and_end,
            events_are_numbered_without_gaps_in_each_stream,
            a_trimmed_stream_keeps_the_newest_and_its_numbers,
            a_stream_without_a_limit_keeps_everything,
            the_feed_tells_what_comes_from_now_on,
            the_feed_goes_on_from_any_position,
            every_waiting_reader_of_the_feed_wakes,
            the_feed_keeps_the_newest_10000_lines,
            an_entry_is_due_when_its_time_has_come,
            due_entries_are_looked_at_page_by_page,
            a_claim_hides_an_entry_and_only_one_wins,
            a_claimed_entry_is_due_again_after_its_time,
            an_entry_put_again_replaces_the_former,
            a_removed_entry_is_gone,
            tenants_are_served_by_who_waits_longest,
            what_another_epoch_claimed_is_due_at_once,
            lanes_and_tenants_of_similar_names_do_not_mix,
            an_index_pages_in_both_directions_through_equal_scores,
            a_page_goes_on_behind_an_entry_that_moved_or_went,
            an_index_is_cut_at_a_score,
            scores_from_now_follow_the_time_of_the_commit,
            numbers_of_16_digits_stay_exact,
            index_members_move_go_and_are_counted,
        );
    };
}

fn commit() -> Commit {
    Commit::new(RequestId::from_uuid(Uuid::new_v4()))
}

fn key(id: &str) -> DocumentKey {
    DocumentKey::new(DocumentKind::Migration, id)
}

fn put(id: &str, expect: Expect, body: &'static [u8]) -> DocumentWrite {
    DocumentWrite { key: key(id), expect, write: Write::Put(Bytes::from_static(body)), expires_in: None }
}

fn with_document(write: DocumentWrite) -> Commit {
    Commit { documents: vec![write], ..commit() }
}

fn entry(id: &str, lane: &str, tenant: &str, due_in: Duration) -> OutboxWrite {
    OutboxWrite::Put {
        id: id.to_owned(),
        lane: lane.to_owned(),
        tenant: tenant.to_owned(),
        due_in,
        body: Bytes::from(format!("body of {id}")),
    }
}

fn set(index: &str, member: &str, score: u64) -> IndexWrite {
    IndexWrite::Set { index: index.to_owned(), member: member.to_owned(), score: Score::Value(score) }
}

fn everything(index: &str) -> IndexQuery {
    IndexQuery { index: index.to_owned(), order: Order::Ascending, until: None, after: None, limit: 10_000 }
}

async fn members(store: &Subject, index: &str) -> Result<Vec<IndexEntry>> {
    Ok(store.index(&everything(index)).await?.1)
}

async fn document(store: &Subject, id: &str) -> Result<Option<Document>> {
    let (_, mut found) = store.load(&[key(id)]).await?;
    ensure!(found.len() == 1, "{} documents for one key", found.len());
    found.pop().context("one document")
}
