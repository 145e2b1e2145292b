"""Where people learn of reviews, and answer in chat: webhooks, Slack, Teams.
It must never show a value of the data, nor hold anybody up who waits elsewhere."""
