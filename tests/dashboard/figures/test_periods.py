"""When a heat map shows quarters or years instead of months. No database."""

from __future__ import annotations

from datetime import date

from dashboard.figures.periods import Period, periods_of


def months(count: int, first: int = 2025) -> list[date]:
    return [date(first + at // 12, at % 12 + 1, 1) for at in range(count)]


def test_months_with_enough_labels_stay_months() -> None:
    found = periods_of(months(14), [30] * 8 + [3] * 6, most=24)
    assert found == {month: Period(month, month) for month in months(14)}


def test_months_with_few_labels_become_quarters() -> None:
    found = periods_of(months(14), [29] * 8 + [300] * 6, most=24)
    assert len(set(found.values())) == 5
    assert found[date(2025, 5, 1)] == Period(date(2025, 4, 1), date(2025, 6, 1))
    # The last quarter has two months so far.
    assert found[date(2026, 2, 1)] == Period(date(2026, 1, 1), date(2026, 2, 1))


def test_a_long_history_is_shown_by_quarter_then_by_year() -> None:
    assert len(set(periods_of(months(30), [900] * 30, most=24).values())) == 10
    six_years = periods_of(months(72), [900] * 72, most=24)
    assert len(set(six_years.values())) == 24
    ten_years = periods_of(months(120), [900] * 120, most=24)
    assert set(ten_years.values()) == {
        Period(date(year, 1, 1), date(year, 12, 1)) for year in range(2025, 2035)
    }


def test_nothing_has_no_periods() -> None:
    assert periods_of([], [], most=24) == {}
