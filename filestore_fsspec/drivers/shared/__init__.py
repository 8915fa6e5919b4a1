"""What drivers of more than one protocol need."""
