from smarthost.submission.room import Room


def test_room_is_taken_and_given_back() -> None:
    room = Room(10)
    assert room.take(6)
    assert not room.take(5)
    assert room.take(4)
    room.give_back(6)
    assert room.take(5)
