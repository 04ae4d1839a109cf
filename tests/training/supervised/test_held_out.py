from training.supervised.held_out import in_part


def test_a_smaller_share_is_a_subset_of_a_larger_one() -> None:
    parts = [{str(n) for n in range(1000) if in_part(str(n), share)} for share in (0.1, 0.3, 1.0)]
    assert parts[0] < parts[1] < parts[2] == {str(n) for n in range(1000)}
    assert 250 < len(parts[1]) < 350
