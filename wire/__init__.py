"""What gateways and workers share: jobs, answers, sessions and the Redis scripts behind them."""
