//! Whether the server may be trusted with data.

use landfall_common::ports::StoreError;
use redis::InfoDict;

use super::link::Link;

const VERSION_MIN: u32 = 7;

/// Looks at the version and at what the server does when its memory is full and when it dies.
pub(super) async fn check(link: &Link) -> Result<(), StoreError> {
    let info = information(link).await?;
    check_version(&info.get::<String>("redis_version").unwrap_or_default())?;
    // INFO tells the policy and the AOF even where a managed server hides CONFIG.
    match info.get::<String>("maxmemory_policy").as_deref() {
        Some("noeviction") => {}
        policy => {
            return Err(StoreError::Broken(format!(
                "maxmemory-policy is {}, it must be noeviction: Redis would drop migrations when its memory is full",
                policy.unwrap_or("unknown")
            )));
        }
    }
    if info.get::<u8>("aof_enabled") != Some(1) {
        return Err(StoreError::Broken(
            "appendonly is off: accepted migrations would be lost when Redis restarts".to_owned(),
        ));
    }
    warn_unless_synced(link).await
}

async fn information(link: &Link) -> Result<InfoDict, StoreError> {
    let mut command = redis::cmd("INFO");
    command.arg("everything");
    // Half of the time for the answer, and half to find out why there is none.
    let asked = tokio::time::timeout(link.limit() / 2, link.command(&command)).await;
    match asked.unwrap_or_else(|elapsed| Err(StoreError::Unavailable(Box::new(elapsed)))) {
        Ok(information) => Ok(information),
        Err(error) => Err(link.why_unreachable().await.unwrap_or(error)),
    }
}

fn check_version(version: &str) -> Result<(), StoreError> {
    match version.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= VERSION_MIN => Ok(()),
        Some(_) | None => Err(StoreError::Broken(format!(
            "Redis {version:?} is too old: {VERSION_MIN}.0 or newer is needed"
        ))),
    }
}

/// Less than `always` is the operator's choice: the last second may be lost when the machine dies.
async fn warn_unless_synced(link: &Link) -> Result<(), StoreError> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("appendfsync");
    // A managed server may not allow the question.
    let answer: Result<Vec<String>, StoreError> = link.command(&command).await;
    match answer.as_deref() {
        Ok([_, value]) if value == "always" => Ok(()),
        Ok([_, value]) => {
            tracing::warn!(appendfsync = %value, "Redis does not sync every write: a crash may lose accepted migrations");
            Ok(())
        }
        Ok(_) | Err(StoreError::Broken(_)) => Ok(()),
        Err(StoreError::Unavailable(_)) => answer.map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_before_version_7_are_refused() {
        for good in ["7.0.15", "7.2.4", "8.0.0", "10.1"] {
            check_version(good).unwrap();
        }
        for bad in ["6.2.16", "", "seven"] {
            assert!(matches!(check_version(bad), Err(StoreError::Broken(_))), "{bad}");
        }
    }
}
