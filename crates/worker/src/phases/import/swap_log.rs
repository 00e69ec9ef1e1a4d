//! The journal as the file swap sees it.

use async_trait::async_trait;
use mysql_async::Conn;
use tokio::sync::Mutex;

use crate::destination::database::fence::Claim;
use crate::destination::database::journal::Journal;
use crate::destination::files::swap::SwapJournal;
use crate::slice::SliceError;

/// Keeps the file swap's steps beside the fence. Each write names the claim's own journal, so that of a stale worker
/// fails, and with it the act that would have followed.
#[derive(Debug)]
pub(super) struct SwapLog {
    journal: Journal,
    conn: Mutex<Conn>,
}

impl SwapLog {
    pub(super) async fn open(claim: &Claim, number: u32) -> Result<Self, SliceError> {
        let conn = Mutex::new(claim.connect(number).await?);
        Ok(Self { journal: claim.journal(), conn })
    }

    async fn put(&self, step: &str, is_done: bool) -> Result<(), SliceError> {
        let mut conn = self.conn.lock().await;
        Ok(self.journal.put(&mut conn, &key(step), &is_done).await?)
    }
}

fn key(step: &str) -> String {
    format!("swap/{step}")
}

#[async_trait]
impl SwapJournal for SwapLog {
    async fn is_done(&self, step: &str) -> Result<bool, SliceError> {
        let mut conn = self.conn.lock().await;
        let done: Option<bool> = self.journal.get(&mut conn, &key(step)).await?;
        Ok(done.unwrap_or(false))
    }

    async fn intend(&self, step: &str) -> Result<(), SliceError> {
        self.put(step, false).await
    }

    async fn complete(&self, step: &str) -> Result<(), SliceError> {
        self.put(step, true).await
    }

    async fn clear(&self) -> Result<(), SliceError> {
        let mut conn = self.conn.lock().await;
        Ok(self.journal.remove(&mut conn, "swap/").await?)
    }
}
