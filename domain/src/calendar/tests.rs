use super::*;

fn day(text: &str) -> LocalDay {
    let mut parts = text.split('-').map(|part| part.parse::<i16>().unwrap());
    let (year, month, day) = (
        parts.next().unwrap(),
        parts.next().unwrap() as i8,
        parts.next().unwrap() as i8,
    );
    local_day(year, month, day).unwrap()
}

#[test]
fn days_and_instants_agree() {
    for text in [
        "1970-01-01",
        "2022-02-25",
        "2024-02-29",
        "1969-12-31",
        "2100-01-01",
    ] {
        let day = day(text);
        assert_eq!(day_text(day), text);
        assert_eq!(start_of(day).local_day(), day);
        assert_eq!(start_of(day).plus(-1).local_day(), LocalDay(day.0 - 1));
    }
    assert_eq!(local_day(2023, 2, 29), None);
    // Far beyond any calendar: no panic.
    for extreme in [i32::MIN, i32::MAX] {
        assert!(!day_text(LocalDay(extreme)).is_empty());
        let _ = start_of(LocalDay(extreme));
        let _ = working_days_after(LocalDay(extreme), 3, &[]);
    }
}

#[test]
fn weekends_and_holidays_do_not_count() {
    let holidays = default_holidays();
    assert!(holidays.is_sorted());
    for (from, count, to) in [
        ("2024-03-05", 1, "2024-03-06"),
        ("2024-03-08", 1, "2024-03-11"),
        ("2024-03-08", 0, "2024-03-08"),
        // Tết Giáp Thìn: 8 to 14 February 2024.
        ("2024-02-07", 1, "2024-02-15"),
        ("2024-02-07", 3, "2024-02-19"),
        // Hùng Kings' day, Thursday 18 April 2024.
        ("2024-04-17", 1, "2024-04-19"),
        ("2024-12-31", 7, "2025-01-10"),
    ] {
        assert_eq!(
            day_text(working_days_after(day(from), count, &holidays)),
            to,
            "{from}"
        );
    }
    assert!(
        is_working_day(day("2024-02-08"), &[]) && !is_working_day(day("2024-02-08"), &holidays)
    );
    assert!(!is_working_day(day("2024-03-09"), &[]) && !is_working_day(day("2024-03-10"), &[]));
}

#[test]
fn fixed_holidays_are_there_every_year() {
    let holidays = default_holidays();
    for year in 2022..=2026 {
        for (month, date) in [(1, 1), (4, 30), (5, 1), (9, 2)] {
            let day = local_day(year, month, date).unwrap();
            assert!(holidays.contains(&day), "{year}");
        }
    }
    let law = HOLIDAYS
        .iter()
        .filter(|holiday| holiday.confidence == Confidence::Law)
        .count();
    assert_eq!(law, 20);
}
