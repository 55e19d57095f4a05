"""Pages of the loyalty app, and the customers' own."""
