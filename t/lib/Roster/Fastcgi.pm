# Roster::Fastcgi: asks a worker directly, without nginx in between (FastCGI 1.0), with parameters that nginx would
# never send.
package Roster::Fastcgi;
use v5.36;

use Roster::Http;
use Roster::Process;
use Time::HiRes ();

my ($BEGIN, $END, $PARAMS, $STDIN, $STDOUT, $STDERR) = (1, 3, 4, 5, 6, 7);

sub record ($type, $content) { return pack 'CCnnCC a*', 1, $type, 1, length $content, 0, 0, $content }

sub stream ($type, $bytes) {
    return join '', map({ record($type, $_) } unpack '(a65528)*', $bytes), record($type, '');
}

sub length_of ($text) { return length $text < 128 ? chr length $text : pack 'N', length($text) | 0x80000000 }

# The bytes of a whole request with these parameters (array of names and values; a name may come twice).
sub compose ($pairs, $body) {
    my @rest = @$pairs;
    my $encoded = '';
    while (my ($name, $value) = splice @rest, 0, 2) {
        $encoded .= length_of($name) . length_of($value) . $name . $value;
    }
    return record($BEGIN, pack 'nCx5', 1, 0) . stream($PARAMS, $encoded) . stream($STDIN, $body);
}

# Sends a request to the socket at $path. $params: hash, or array of names and values; what it lacks of the usual
# parameters is added, what it has with value undef is left out. The answer is of the same form as Roster::Http::parse
# gives, and has `stderr`; undef where the worker closed without one. Dies on a timeout.
sub request ($path, $params, $body = '', %options) {
    my @given = ref $params eq 'HASH' ? %$params : @$params;
    my %given = @given;
    my %usual = (
        REQUEST_METHOD => 'GET',
        REQUEST_URI => '/',
        QUERY_STRING => '',
        CONTENT_TYPE => '',
        CONTENT_LENGTH => length $body || '',
        REMOTE_ADDR => '127.0.0.1',
        SERVER_PROTOCOL => 'HTTP/1.1',
        REQUEST_SCHEME => 'http',
        HTTP_HOST => 'roster.example.org');
    my @pairs = map { exists $given{$_} ? () : ($_, $usual{$_}) } sort keys %usual;
    while (my ($name, $value) = splice @given, 0, 2) {
        push @pairs, $name, $value if defined $value;
    }
    my $bytes = compose(\@pairs, $body);
    my $socket = Roster::Http::open_socket(unix => $path);
    local $SIG{PIPE} = 'IGNORE';
    my ($sent, $received, $out, $err) = (0, '', '', '');
    while ($sent < length $bytes) {
        $sent += syswrite($socket, $bytes, 65536, $sent) // last;
    }
    my $end = Time::HiRes::time() + ($options{timeout} // 60) * $Roster::Process::patience;
    RECORD: while (1) {
        while (length $received >= 8) {
            my (undef, $type, undef, $length, $padding) = unpack 'CCnnC', $received;
            last if length $received < 8 + $length + $padding;
            my $content = substr $received, 8, $length;
            substr $received, 0, 8 + $length + $padding, '';
            if ($type == $STDOUT) { $out .= $content }
            elsif ($type == $STDERR) { $err .= $content }
            elsif ($type == $END) { last RECORD }
        }
        my $left = $end - Time::HiRes::time();
        die "the worker at $path did not answer in time\n" if $left <= 0;
        next if !IO::Select->new($socket)->can_read($left);
        sysread($socket, $received, 65536, length $received) or last;
    }
    close $socket;
    return undef if $out eq '';
    my $status = $out =~ s/^Status: (\d{3})[^\r\n]*\r?\n//mi ? $1 : 200;
    $out = "HTTP/1.1 $status\r\n$out";
    my $answer = Roster::Http::parse(\$out, 1, $given{REQUEST_METHOD} // 'GET') // return undef;
    $answer->{stderr} = $err;
    return $answer;
}

1;
