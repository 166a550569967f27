-- What is to be deleted is found without a look at what is not.
CREATE INDEX archive_file_replaced ON archive_file (replaced_at) WHERE replaced_at IS NOT NULL;
