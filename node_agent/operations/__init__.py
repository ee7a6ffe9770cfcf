"""What an operator looks at: the log, the metrics, and a bundle for whoever helps."""
