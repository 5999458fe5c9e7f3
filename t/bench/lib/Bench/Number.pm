# Bench::Number: numbers as the tables have them.
package Bench::Number;
use v5.36;

# 1234567: 1,234,567.
sub commas ($number) {
    my $text = sprintf '%.0f', $number;
    1 while $text =~ s/^(-?\d+)(\d{3})/$1,$2/;
    return $text;
}

1;
