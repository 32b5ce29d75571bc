"""What is counted, drawn, tokenized and packed of one batch or block."""
