#!/usr/bin/perl
# All C and all Perl is as the formatters set it: one file a test.
use v5.36;
use FindBin;

exec "$FindBin::Bin/../format", '--check' or die "t/format: $!\n";
