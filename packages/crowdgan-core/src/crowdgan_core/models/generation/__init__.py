"""Images of a trained model: what is asked for, making it, and writing it with a record of how it was made."""
