# Roster::Factor: an authenticator (RFC 6238), for tests about second factors.
package Roster::Factor;
use v5.36;

use Digest::SHA ();
use Exporter ();

our @ISA = ('Exporter');
our @EXPORT_OK = qw(totp base32_bytes step_now);

sub step_now () { return int(time / 30) }

# The bytes of a text in base32 (RFC 4648).
sub base32_bytes ($text) {
    my %value;
    @value{'A' .. 'Z', 2 .. 7} = 0 .. 31;
    my $bits = join '', map { sprintf '%05b', $value{$_} // die "$_ is no base32\n" } split //, $text =~ s/=+\z//r;
    return pack 'B*', substr $bits, 0, 8 * int(length($bits) / 8);
}

# The code of a secret in base32 at a step.
sub totp ($secret, $step = step_now()) {
    my @mac = unpack 'C*', Digest::SHA::hmac_sha1(pack('Q>', $step), base32_bytes($secret));
    my $at = $mac[-1] & 15;
    my $number = ($mac[$at] & 127) << 24 | $mac[$at + 1] << 16 | $mac[$at + 2] << 8 | $mac[$at + 3];
    return sprintf '%06d', $number % 1_000_000;
}

1;
