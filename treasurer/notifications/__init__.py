"""What people are told by mail: refusals, settlements, questions and documents to look at."""
