use super::*;

#[test]
fn days_and_instants_agree() {
    for text in [
        "1970-01-01",
        "2022-02-25",
        "2024-02-29",
        "1969-12-31",
        "2100-01-01",
    ] {
        let day = parse_day(text).unwrap();
        assert_eq!(day_text(day), text);
        assert_eq!(start_of(day).local_day(), day);
        assert_eq!(start_of(day).plus(-1).local_day(), LocalDay(day.0 - 1));
    }
    assert_eq!(local_day(2023, 2, 29), None);
    for bad in [
        "2023-02-29",
        "2024-3-05",
        "20240305",
        "2024-03-05T00:00:00Z",
        "",
    ] {
        assert_eq!(parse_day(bad), None, "{bad}");
    }
    // Far beyond any calendar: no panic.
    for extreme in [i32::MIN, i32::MAX] {
        assert!(!day_text(LocalDay(extreme)).is_empty());
        let _ = (start_of(LocalDay(extreme)), is_weekday(LocalDay(extreme)));
        let _ = next_day(LocalDay(extreme));
    }
}
