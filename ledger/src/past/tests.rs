use super::*;
use domain::calendar::parse_day;

const HEADER: &str = "personal_id,phone,level,issued_at,activated_at,area,site,source\n";
const GOOD: &str = "030099000001,0912345678,2,2022-04-15,2022-04-16T08:00:00+07:00,30288,7,sổ 1\n";

fn csv(text: &str) -> Vec<(u64, Result<PastAccount, Reason>)> {
    Rows::open(Format::Csv, text.as_bytes()).unwrap().collect()
}

fn wrong(line: &str) -> Reason {
    let rows = csv(&format!("{HEADER}{line}\n"));
    let [(2, Err(reason))] = &rows[..] else {
        panic!("{line}: {}", rows.len());
    };
    reason
}

#[test]
fn a_row_is_an_account() {
    let text =
        format!("\u{feff}{HEADER}{GOOD}030099000002,0912.345.679,1,2022-05-01,,30288,,sổ 1\n");
    let rows = csv(&text);
    assert_eq!(rows.len(), 2);
    let Ok(first) = &rows[0].1 else { panic!() };
    let Command::ImportAccount {
        person,
        level,
        issued_at,
        activated_at,
        area,
        site,
        source,
    } = &first.command
    else {
        panic!()
    };
    assert_eq!(
        (person.phone.as_str(), *level),
        ("+84912345678", Level::Two)
    );
    assert_eq!((area.0, *site, source.as_str()), (30_288, 7, "sổ 1"));
    assert_eq!(issued_at.local_day(), parse_day("2022-04-15").unwrap());
    assert_eq!(
        activated_at.unwrap().local_day(),
        parse_day("2022-04-16").unwrap()
    );
    let Ok(second) = &rows[1].1 else { panic!() };
    assert!(matches!(
        second.command,
        Command::ImportAccount {
            activated_at: None,
            site: 0,
            ..
        }
    ));
    let json = r#"{"personal_id":"030099000001","phone":"0912345678","level":2,"issued_at":"2022-04-15","activated_at":"2022-04-16T08:00:00+07:00","area":30288,"site":7,"source":"sổ 1"}"#;
    let lines = format!("\n{json}\n{{}}\n");
    let rows: Vec<_> = Rows::open(Format::JsonLines, lines.as_bytes())
        .unwrap()
        .collect();
    let (2, Ok(same)) = &rows[0] else { panic!() };
    assert_eq!(
        same.canonical, first.canonical,
        "one command in either form"
    );
    assert!(rows[1].0 == 3 && rows[1].1.is_err());
}

#[test]
fn what_is_wrong_is_said_without_the_data() {
    let cases = [
        (
            "03009900000,0912345678,2,2022-04-15,,30288,,s",
            "twelve digits",
        ),
        ("030099000001,1234,2,2022-04-15,,30288,,s", "mobile"),
        ("030099000001,0912345678,3,2022-04-15,,30288,,s", "level"),
        ("030099000001,0912345678,x,2022-04-15,,30288,,s", "number"),
        (
            "030099000001,0912345678,2,2022-02-30,,30288,,s",
            "issued_at",
        ),
        (
            "030099000001,0912345678,2,2022-04-15,soon,30288,,s",
            "activated_at",
        ),
        (
            "030099000001,0912345678,2,2022-04-15,2022-04-14,30288,,s",
            "before",
        ),
        ("030099000001,0912345678,2,2022-04-15,,0,,s", "area"),
        ("030099000001,0912345678,2,2022-04-15,,30288,,", "source"),
        (
            "030099000001,0912345678,2,2022-04-15,,30288,,030099000001",
            "source",
        ),
        ("030099000001,0912345678,2,2022-04-15,,30288", "fields"),
    ];
    for (line, part) in cases {
        let reason = wrong(line);
        assert!(reason.contains(part), "{line}: {reason}");
        assert!(!reason.contains("0300"));
    }
}

#[test]
fn a_header_is_needed_and_known() {
    for bad in [
        "personal_id,phone\n",
        "personal_id,phone,level,issued_at,area,source,colour\n",
        "personal_id,personal_id,phone,level,issued_at,area,source\n",
        "",
    ] {
        assert!(Rows::open(Format::Csv, bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_quote_that_is_never_closed_ends_the_file_and_not_the_memory() {
    let mut text = format!("{HEADER}{GOOD}\"");
    text.push_str(&"x".repeat(3 * ROW_BYTES_MAX));
    let rows = csv(&text);
    assert!(rows[0].1.is_ok());
    assert!(rows.len() <= 2 && rows.last().unwrap().1.is_err());
    let long = format!("{{\"source\":\"{}\"}}\n{{}}\n", "x".repeat(ROW_BYTES_MAX));
    let rows: Vec<_> = Rows::open(Format::JsonLines, long.as_bytes())
        .unwrap()
        .collect();
    assert_eq!(rows.len(), 1);
}
