# Roster::Pictures: pictures for tests, which are ones as far as anybody looks: the head that tells the size, and then
# whatever a test wants.
#
#   my $bytes = png;                        another one at each call: 20 times 10
#   my $bytes = png(width => 1, height => 1, more => 'x' x 1000);
#   data_uri($bytes), data_uri($bytes, 'image/gif'), picture_address($bytes), picture_address($bytes, 'gif')
package Roster::Pictures;
use v5.36;

use Digest::SHA ();
use Exporter 'import';
use MIME::Base64 ();

our @EXPORT = qw(png data_uri picture_hash picture_address);

# The bytes of a PNG. Options: width, height; more: what comes after the size, instead of a number that is another one
# each time.
sub png (%options) {
    state $number = 0;
    return
          "\x89PNG\r\n\x1a\n"
        . pack('NA4NNC5N', 13, 'IHDR', $options{width} // 20, $options{height} // 10, 8, 6, 0, 0, 0, 0)
        . ($options{more} // 'x' . ++$number);
}

sub data_uri ($bytes, $type = 'image/png') { return "data:$type;base64," . MIME::Base64::encode_base64($bytes, '') }

# What a picture is called in the table, and where it is served.
sub picture_hash ($bytes) { return Digest::SHA::sha256_hex($bytes) }
sub picture_address ($bytes, $ending = 'png') { return '/pictures/' . picture_hash($bytes) . ".$ending" }

1;
