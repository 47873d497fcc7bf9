from service.scheduling.brief import LONGEST_S, Brief


def test_work_of_a_kind_that_was_never_seen_is_not_brief() -> None:
    assert "a" not in Brief()


def test_work_is_brief_once_its_like_was() -> None:
    brief = Brief()
    brief.note("a", LONGEST_S / 2)
    brief.note("b", LONGEST_S * 2)
    assert "a" in brief
    assert "b" not in brief


def test_one_piece_that_took_long_is_enough_to_be_careful() -> None:
    brief = Brief()
    for _ in range(100):
        brief.note("a", LONGEST_S / 2)
    brief.note("a", LONGEST_S * 10)
    assert "a" not in brief


def test_kinds_that_were_seen_long_ago_are_forgotten() -> None:
    brief = Brief()
    for number in range(5000):
        brief.note("kept", 0.0)
        brief.note(number, 0.0)
    assert "kept" in brief
    assert 0 not in brief
    assert sum(number in brief for number in range(5000)) < 1001
