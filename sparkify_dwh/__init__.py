"""An S3-to-Redshift warehouse as code."""
