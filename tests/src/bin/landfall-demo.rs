//! `make demo`: a real WordPress site moves to another host, started by its owner's click in wp-admin.
#![expect(clippy::print_stdout, reason = "the demo is there to be read")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use landfall_testkit::lab::{
    Browser, Destination, DestinationOptions, Lab, PlatformPluginZip, Profile, Source,
};
use landfall_tests::display::{Timings, follow};
use landfall_tests::installation::{Backends, Installation, InstallationOptions};
use landfall_tests::journey::{Journey, Reach, prepare, start_through_plugin};
use landfall_tests::watcher::{Sightings, Watcher};

/// Where the demo's servers and sites lie. sshd wants it below folders that are root's.
const FOLDER: &str = "/var/lib/landfall-demo";
const LIMIT: Duration = Duration::from_secs(900);

#[derive(Debug, Clone, Copy)]
struct Arguments {
    backends: Backends,
    is_kept: bool,
    profile: Profile,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(2);
        }
    };
    let outcome = tokio::select! {
        outcome = run(arguments) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped by Ctrl-C; everything that was started is ended")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut arguments = Arguments { backends: Backends::Embedded, is_kept: false, profile: Profile::Demo };
    while let Some(name) = given.next() {
        let mut value = || given.next().with_context(|| format!("{name} needs a value"));
        match name.as_str() {
            "--keep" => arguments.is_kept = true,
            "--backends" => {
                arguments.backends = match value()?.as_str() {
                    "embedded" => Backends::Embedded,
                    "servers" => Backends::Servers,
                    other => bail!("BACKENDS={other}: embedded or servers"),
                }
            }
            "--profile" => {
                arguments.profile = match value()?.as_str() {
                    "small" => Profile::Small,
                    "demo" => Profile::Demo,
                    "medium" => Profile::Medium,
                    other => bail!("PROFILE={other}: small, demo or medium"),
                }
            }
            other => bail!("unknown argument {other}"),
        }
    }
    Ok(arguments)
}

async fn run(arguments: Arguments) -> Result<()> {
    let began = Instant::now();
    let lab = Lab::new(Path::new(FOLDER))?;
    say(began, "starting a source site, a destination with an older site, and Landfall");
    let (source, destination) =
        tokio::try_join!(lab.source(arguments.profile), lab.destination(DestinationOptions::default()))?;
    let seeded = &source.site.seeded;
    say(
        began,
        &format!(
            "source {}: {} posts, {} images, {} tables, {} files, {} MB",
            source.site.url,
            seeded.posts,
            seeded.images,
            seeded.tables,
            seeded.files,
            seeded.bytes / 1_000_000
        ),
    );
    say(began, &format!("destination {}: an older site is there", destination.site.url));
    let mut options = InstallationOptions::between(&source, &destination, arguments.backends);
    let plugin = PlatformPluginZip::write(&lab)?;
    options.platform_plugins.push(plugin.clone());
    let landfall = Installation::start(&lab, options).await?;
    say(began, &format!("Landfall ({}): API at {}", arguments.backends.name(), landfall.api().base()));

    let (journey, token) = prepare(landfall.api(), &source, &destination, Reach::Sftp).await?;
    say(
        began,
        &format!("site, machine token and migration {} made; it awaits its source", journey.migration),
    );
    let watcher = Watcher::start(
        &destination.site.url,
        title_of(&destination.site.browser()?).await?,
        title_of(&source.site.browser()?).await?,
    )?;
    start_through_plugin(&lab, &source, &journey, &token).await?;
    say(began, "the owner pasted token and site name into the plugin's page in wp-admin and clicked Migrate");

    let moved = Instant::now();
    let (_, timings) = follow(&journey.owner, &journey.migration, LIMIT).await?;
    let moved = moved.elapsed();
    let seen = watcher.finish().await?;
    say(began, "the migration has succeeded; looking at the new site");
    look(&source, &destination).await?;
    let hook = destination.site.php(&format!("echo get_option( '{}' );", plugin.option)).await?;
    ensure!(hook.trim() == "hook ran", "the platform's plugin was not activated: {hook:?}");
    println!("          the platform's plugin: active, its activation hook ran");
    report(&journey, &timings, moved, &seen, &landfall).await?;
    ensure!(
        seen.mixtures.is_empty(),
        "a visitor saw neither the old site, nor 503, nor the new one: {:#?}",
        seen.mixtures
    );

    println!("\nThe migrated site: {}", destination.site.url);
    println!("(It answers to that name on this machine: browsers resolve *.localhost by themselves.)");
    if arguments.is_kept {
        keep(&lab, &source, &destination, &landfall, &journey);
        std::mem::forget((source, destination, landfall));
    }
    Ok(())
}

fn say(began: Instant, text: &str) {
    println!("[{:>5.1} s] {text}", began.elapsed().as_secs_f64());
}

/// What a home page is told by.
async fn title_of(browser: &Browser) -> Result<String> {
    let page = browser.get("").await?;
    let start = page.body.find("<title>").context("the home page has a title")? + "<title>".len();
    let end = page.body[start..].find("</title>").context("the title ends")?;
    Ok(format!("<title>{}</title>", &page.body[start..start + end]))
}

/// The home page, a post, an image, the log-in page and REST, as a visitor gets them.
async fn look(source: &Source, destination: &Destination) -> Result<()> {
    let seeded = &source.site.seeded;
    let browser = destination.site.browser()?;
    let post_title = seeded.post_title.as_str();
    for (name, path, expected) in [
        ("home page", "", ""),
        ("a post", seeded.post.as_str(), post_title),
        ("an image", seeded.image.as_str(), ""),
        ("log-in page", "wp-login.php", "user_login"),
        ("REST", "?rest_route=/wp/v2/posts&per_page=1", "\"id\":"),
    ] {
        let page = browser.get(path).await?;
        let start: String = page.body.chars().take(500).collect();
        ensure!(page.status == 200, "{name} ({path}) answers {}: {start}", page.status);
        ensure!(page.body.contains(expected), "{name} ({path}) does not hold {expected:?}");
        // REST shows each post's guid, which is an identifier and keeps its old address.
        ensure!(
            name == "REST" || !page.body.contains(source.site.authority()),
            "{name} ({path}) still names the old address {}",
            source.site.authority()
        );
        println!("          {name}: ok");
    }
    Ok(())
}

async fn report(
    journey: &Journey,
    timings: &Timings,
    moved: Duration,
    seen: &Sightings,
    landfall: &Installation,
) -> Result<()> {
    let report = journey.owner.text(&format!("/v1/migrations/{}/report", journey.migration)).await?;
    println!("\n{}", report.trim_end());
    println!("\nTimings");
    for (phase, took) in timings {
        println!("  {phase:<16} {:>6.1} s", took.as_secs_f64());
    }
    println!("  {:<16} {:>6.1} s", "in all", moved.as_secs_f64());
    println!(
        "\nVisitors meanwhile: {} saw the old site, {} a 503 page (for {:.1} s), {} the new site, {} anything else",
        seen.old,
        seen.closed,
        seen.window.as_secs_f64(),
        seen.new,
        seen.mixtures.len()
    );
    println!("Peak memory (VmHWM)");
    for (name, kib) in landfall.peak_memory()? {
        println!("  {name:<16} {:>6} MiB", kib.div_ceil(1024));
    }
    Ok(())
}

fn keep(lab: &Lab, source: &Source, destination: &Destination, landfall: &Installation, journey: &Journey) {
    let stop = lab.keep();
    println!("\nKEEP=1: everything is still running.");
    println!(
        "  the old site      {}wp-admin/  ({} / {})",
        source.site.url, source.site.admin_user, source.site.admin_password
    );
    println!("  the new site      {}wp-admin/  (the same log-in)", destination.site.url);
    println!("  the API           {}", landfall.api().base());
    println!("  its operator      {}", landfall.token_hint());
    println!("  the migration     {}", journey.migration);
    println!("  logs              {}/logs", lab.folder().display());
    println!("  to stop           sh {}", stop.display());
}
