"""What an application asks to be sent, made into messages that the queue can accept."""
