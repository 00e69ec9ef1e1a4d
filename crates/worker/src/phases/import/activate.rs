//! Activates the platform's plugins by one request to the new site, then removes what answered it.

use std::collections::BTreeMap;

use super::StepEnd;
use super::platform_plugins::path;
use super::run::Run;
use super::stage::{self, Activator, HEADER, MARK};
use crate::failpoint::failpoint;
use crate::slice::SliceError;

/// How often the request is sent before it counts as failed.
const TRIES_MAX: u32 = 5;
const BETWEEN: std::time::Duration = std::time::Duration::from_secs(2);

/// What WordPress said of each plugin.
type Answer = BTreeMap<String, String>;

pub(super) async fn run(run: &mut Run<'_>) -> Result<StepEnd, SliceError> {
    let journal = run.journal();
    let Some(activator) = journal.get::<Activator>(&mut run.conn, "activator").await? else {
        return Ok(StepEnd::Done);
    };
    let activated: Option<Answer> = journal.get(&mut run.conn, "activated").await?;
    let answer = match activated {
        Some(answer) => Ok(answer),
        None => {
            put_in(run, &activator).await?;
            call(run, &activator).await
        }
    };
    if let Ok(answer) = &answer {
        journal.put(&mut run.conn, "activated", answer).await?;
    }
    failpoint("import.activated").await?;
    if let Err(why) = answer {
        // A site on which this fails may be dead altogether: the probes decide that, and come first.
        journal.put(&mut run.conn, "activation_failed", &why).await?;
        return Ok(StepEnd::Done);
    }
    journal.remove(&mut run.conn, "activation_failed").await?;
    remove(run, &activator).await?;
    Ok(StepEnd::Done)
}

/// Sends the request until it is answered; activating what is active already does nothing, so it may be sent again.
async fn call(run: &Run<'_>, activator: &Activator) -> Result<Answer, String> {
    let mut why = String::new();
    for attempt in 1..=TRIES_MAX {
        if attempt > 1 {
            tokio::time::sleep(BETWEEN).await;
        }
        match run.prober.post((HEADER, &activator.token)).await {
            Ok((status, body)) => match parse(&body) {
                Some(answer) => return all_active(answer),
                None => why = format!("the site answered {status} without a word of the activation"),
            },
            Err(error) => why = format!("no answer: {error}"),
        }
    }
    Err(why)
}

fn parse(body: &str) -> Option<Answer> {
    let answer = body.lines().find_map(|line| line.trim().strip_prefix(MARK))?;
    serde_json::from_str(answer).ok()
}

fn all_active(answer: Answer) -> Result<Answer, String> {
    let failed: Vec<String> = answer
        .iter()
        .filter(|(_, word)| *word != "active")
        .map(|(plugin, word)| format!("{plugin}: {word}"))
        .collect();
    if failed.is_empty() { Ok(answer) } else { Err(failed.join("; ")) }
}

/// It came with the staged files; after a failure it was taken out.
async fn put_in(run: &Run<'_>, activator: &Activator) -> Result<(), SliceError> {
    let file = path(&activator.path)?;
    if run.workspace.files().stat(&run.workspace.live(&file)).await?.is_none() {
        let (contents, meta) = stage::activator_file(run.options, activator);
        run.workspace.place_live(&file, contents, meta).await?;
    }
    Ok(())
}

/// Takes the activator out of the live site, with the folder that was made for it.
async fn remove(run: &Run<'_>, activator: &Activator) -> Result<(), SliceError> {
    take_out(run, activator).await?;
    if activator.made_folder {
        remove_made_folder(run, activator).await?;
    }
    Ok(())
}

/// Takes the activator's file out of the live site and makes sure that it is gone.
pub(super) async fn take_out(run: &Run<'_>, activator: &Activator) -> Result<(), SliceError> {
    let file = path(&activator.path)?;
    run.workspace.remove_live(&file).await?;
    failpoint("import.activator_removed").await?;
    if run.workspace.files().stat(&run.workspace.live(&file)).await?.is_some() {
        let detail = format!("{} is still there after it was removed", activator.path);
        return Err(SliceError::failed("destination.changed_underfoot", detail));
    }
    Ok(())
}

/// The folder that was made for it goes as well, unless something else has come into it.
async fn remove_made_folder(run: &Run<'_>, activator: &Activator) -> Result<(), SliceError> {
    let Some((folder, _)) = activator.path.rsplit_once('/') else { return Ok(()) };
    let folder = path(folder)?;
    let live = run.workspace.live(&folder);
    if run.workspace.files().stat(&live).await?.is_some()
        && run.workspace.files().list(&live).await?.is_empty()
    {
        run.workspace.remove_live(&folder).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_found_among_noise() {
        let body = "<b>Notice</b>\n\nLANDFALL-ACTIVATED {\"a/a.php\":\"active\"}\n<!-- cache -->";
        assert_eq!(parse(body).unwrap()["a/a.php"], "active");
        assert!(parse("<html>").is_none());
        assert!(all_active(Answer::from([("a".into(), "no such file".into())])).is_err());
    }
}
