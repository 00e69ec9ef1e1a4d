//! What the phase asks of a source. The plugin's client is the one implementation that runs in production; the
//! trait is there so that sources with every kind of trouble can be made up in tests.

use async_trait::async_trait;

use crate::model::Table;
use crate::slice::SliceError;
use crate::source::{
    Exchange, Exclusion, FileEvent, FileReader, FileRequest, ListCursor, ListPage, Lister, Preflight,
    RowCursor, RowPage, RowReader, RowsEnd, SourceClient, SourceError, SourceSchema, TableMark,
};

/// A source that can be read.
#[async_trait]
pub trait SourceSite: Send + Sync {
    /// What there is to know before anything is read.
    async fn preflight(&self, exclusions: &[Exclusion]) -> Result<Preflight, SourceError>;

    /// The schema of the site's tables.
    async fn schema(&self) -> Result<SourceSchema, SourceError>;

    /// What tells whether tables moved.
    async fn table_marks(&self, tables: &[String]) -> Result<Vec<TableMark>, SourceError>;

    /// Lists files from a cursor on.
    fn list_files(&self, cursor: Option<ListCursor>, exclusions: &[Exclusion]) -> Box<dyn EntryPages>;

    /// Reads files.
    fn read_files(&self, requests: Vec<FileRequest>) -> Box<dyn FileEvents>;

    /// Reads the rows of a table from a cursor on.
    fn read_rows(&self, table: &Table, cursor: Option<RowCursor>) -> Box<dyn RowPages>;

    /// The last requests and what came of each, oldest first.
    fn last_exchanges(&self) -> Vec<Exchange>;
}

/// Pages of a listing.
#[async_trait]
pub trait EntryPages: Send {
    /// The next page; none at the end.
    async fn next_page(&mut self) -> Result<Option<ListPage>, SourceError>;
}

/// What comes while files are read.
#[async_trait]
pub trait FileEvents: Send {
    /// The next event; none when every file has ended.
    async fn next_event(&mut self) -> Result<Option<FileEvent>, SourceError>;
}

/// Pages of rows.
#[async_trait]
pub trait RowPages: Send {
    /// The next page; none at the end.
    async fn next_page(&mut self) -> Result<Option<RowPage>, SourceError>;

    /// What the source said at the end.
    fn end(&self) -> Option<RowsEnd>;
}

#[async_trait]
impl SourceSite for SourceClient {
    async fn preflight(&self, exclusions: &[Exclusion]) -> Result<Preflight, SourceError> {
        SourceClient::preflight(self, exclusions).await
    }

    async fn schema(&self) -> Result<SourceSchema, SourceError> {
        SourceClient::schema(self, false).await
    }

    async fn table_marks(&self, tables: &[String]) -> Result<Vec<TableMark>, SourceError> {
        SourceClient::table_marks(self, tables).await
    }

    fn list_files(&self, cursor: Option<ListCursor>, exclusions: &[Exclusion]) -> Box<dyn EntryPages> {
        Box::new(SourceClient::list_files(self, cursor, exclusions))
    }

    fn read_files(&self, requests: Vec<FileRequest>) -> Box<dyn FileEvents> {
        Box::new(SourceClient::read_files(self, requests))
    }

    fn read_rows(&self, table: &Table, cursor: Option<RowCursor>) -> Box<dyn RowPages> {
        Box::new(SourceClient::read_rows(self, table, cursor))
    }

    fn last_exchanges(&self) -> Vec<Exchange> {
        SourceClient::last_exchanges(self)
    }
}

#[async_trait]
impl EntryPages for Lister {
    async fn next_page(&mut self) -> Result<Option<ListPage>, SourceError> {
        Lister::next_page(self).await
    }
}

#[async_trait]
impl FileEvents for FileReader {
    async fn next_event(&mut self) -> Result<Option<FileEvent>, SourceError> {
        self.next().await
    }
}

#[async_trait]
impl RowPages for RowReader {
    async fn next_page(&mut self) -> Result<Option<RowPage>, SourceError> {
        RowReader::next_page(self).await
    }

    fn end(&self) -> Option<RowsEnd> {
        RowReader::end(self)
    }
}

/// A source's error ends the slice with its own code.
pub(super) fn failed(error: SourceError) -> SliceError {
    SliceError::Failed(error.failure())
}
