//! `idledger stats`: how many accounts, at which level, activated or not, by area and day.

use super::{reading, views};
use crate::cli::Global;
use crate::exit::Exit;
use crate::output::{Out, Row};
use crate::times::{parse_day, show_day};
use clap::Args;
use domain::calendar::start_of;
use domain::ids::{AreaCode, LocalDay};
use domain::law::{Known, LawBook};
use ledger::wiring::{Clock, SystemClock};
use projections::statistics::Statistics;

/// `idledger stats`
#[derive(Args)]
pub struct StatsArgs {
    /// At the end of this day in Asia/Ho_Chi_Minh (default: today)
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    as_of: Option<LocalDay>,
    /// Every day on which something changed since this one
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    since: Option<LocalDay>,
    /// An area: 0 the country, 30000 a province, 30288 a district (default: the country, then
    /// every area anybody was counted in)
    #[arg(long, value_name = "CODE")]
    area: Option<u32>,
    /// Fold the log anew in memory instead of reading the projection
    #[arg(long)]
    from_log: bool,
}

/// Runs it.
pub fn run(global: &Global, args: &StatsArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    let day = args.as_of.unwrap_or_else(|| SystemClock.now().local_day());
    let runtime = super::opening::runtime()?;
    let mut rows = out.rows("stats");
    runtime.block_on(async {
        let law = reading::law_book(log.as_ref()).await?;
        let folded;
        let views = if args.from_log {
            folded = views::FromLog::fold(global, log).await?;
            folded.views.clone()
        } else {
            views::open(global, log).await?
        };
        let areas = if let Some(area) = args.area {
            vec![AreaCode(area)]
        } else {
            let counted = views.areas()?.into_iter().filter(|area| area.0 != 0);
            std::iter::once(AreaCode(0)).chain(counted).collect()
        };
        for area in areas {
            if let Some(since) = args.since {
                for statistics in views.statistics_by_day(area, since, day)? {
                    rows.push(row(&statistics, &law))?;
                }
            } else {
                rows.push(row(&views.statistics(area, day)?, &law))?;
            }
        }
        views.close().await?;
        anyhow::Ok(())
    })?;
    rows.finish()?;
    Ok(Exit::Ok)
}

/// One line.
pub fn row(statistics: &Statistics, law: &LawBook) -> Row {
    vec![
        ("as_of", show_day(statistics.as_of).into()),
        ("area", statistics.area.0.into()),
        ("name", area_name(statistics, law).into()),
        ("accounts", statistics.accounts.into()),
        ("level_1", statistics.level1.into()),
        ("level_2", statistics.level2.into()),
        ("activated", statistics.activated.into()),
        ("app_only", statistics.counts.app_only.into()),
        ("closed", statistics.counts.closed.into()),
        ("organisations", statistics.counts.organisations.into()),
    ]
}

/// The area in words, by the province codes in force on that day.
fn area_name(statistics: &Statistics, law: &LawBook) -> String {
    let area = statistics.area;
    if area.0 == 0 {
        return "Việt Nam".to_owned();
    }
    let law = law.edition(start_of(statistics.as_of), Known::Now);
    let code = u16::try_from(area.province()).ok();
    let row = code.and_then(|code| law.provinces().find(code));
    let province = match row {
        None => "?".to_owned(),
        Some(row) if row.unit.is_empty() || row.unit == row.name => row.name.clone(),
        Some(row) => format!("{} ({})", row.name, row.unit),
    };
    if area.0 == 30_288 {
        "thành phố Hải Dương".to_owned()
    } else if area.0.is_multiple_of(1000) {
        province
    } else {
        format!("{province}, {:03}", area.0 % 1000)
    }
}
