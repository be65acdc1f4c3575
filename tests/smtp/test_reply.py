from smarthost.smtp.reply import TEXT_LIMIT, Reply


def reply(code: int, *lines: str, enhanced: str | None = None) -> Reply:
    return Reply(code=code, enhanced=enhanced, lines=lines)


def test_the_text_is_one_line_with_each_code_once() -> None:
    read = reply(535, "5.7.8 Wrong name or", "5.7.8   password", enhanced="5.7.8")
    assert read.text == "535 5.7.8 Wrong name or password"


def test_the_text_is_at_most_200_characters() -> None:
    text = reply(550, "x" * 1000).text
    assert len(text) == TEXT_LIMIT
    assert text.endswith("…")


def test_what_was_sent_can_be_taken_out() -> None:
    hidden = reply(535, "you said hunter2, hunter2").hiding(["hunter2"])
    assert hidden.text == "535 you said [hidden], [hidden]"


def test_what_is_too_short_to_be_recognised_is_left() -> None:
    assert reply(535, "you said").hiding(["you"]).text == "535 you said"
