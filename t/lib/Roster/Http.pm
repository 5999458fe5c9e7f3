# Roster::Http: an HTTP/1.1 client for tests: it sends exactly the bytes that it is told to send, over a unix socket,
# TCP or TLS, and reads the answer while it still sends, so that an early answer to a large body is seen.
package Roster::Http;
use v5.36;

use Encode ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Socket ();
use Time::HiRes ();

use Roster::Process;

my $json = JSON::PP->new->utf8->allow_nonref;

# Whether bodies are parsed: local $Roster::Http::decodes = 0 where they are so large that JSON::PP would take minutes.
our $decodes = 1;

# A socket: {unix => PATH}, {tcp => PORT}, or {unix_tls => PATH} (openssl speaks TLS, the certificate is not verified).
sub open_socket (%where) {
    if (my $path = $where{unix}) {
        return IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Peer => $path) // die "$path: $!\n";
    }
    if (my $port = $where{tcp}) {
        return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) // die "port $port: $!\n";
    }
    my ($mine, $theirs) = IO::Socket->socketpair(Socket::AF_UNIX(), Socket::SOCK_STREAM(), 0) or die "socketpair: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN, '<&', $theirs;
        open STDOUT, '>&', $theirs;
        open STDERR, '>', '/dev/null';
        no warnings 'exec';
        exec qw(openssl s_client -quiet -unix), $where{unix_tls};
        POSIX::_exit(127);
    }
    close $theirs;
    ${*$mine}{roster_tls_pid} = $pid;
    return $mine;
}

sub close_socket ($socket) {
    my $pid = ${*$socket}{roster_tls_pid};
    close $socket;
    if ($pid) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
    return;
}

# The bytes of a request. Options: headers (array of names and values, or hash with values or arrays of them), token,
# cookie, json (data) or body (bytes), chunked (the body in chunks of that size), host, http (version). A field that is
# given in `headers` is not added again; with value undef it is left out.
sub compose ($method, $target, %options) {
    my @given = ref $options{headers} eq 'HASH'
        ? map {
        my $name = $_;
        map { ($name, $_) } ref $options{headers}{$name} ? @{$options{headers}{$name}} : $options{headers}{$name}
        }
        sort keys %{$options{headers}}
        : @{$options{headers} // []};
    my (%seen, @lines);
    for (my $i = 0; $i < @given; $i += 2) {
        $seen{lc $given[$i]} = 1;
        push @lines, "$given[$i]: $given[$i + 1]" if defined $given[$i + 1];
    }
    my $add = sub ($name, $value) { push @lines, "$name: $value" if defined $value && !$seen{lc $name} };
    $add->('Host', $options{host} // 'roster.example.org');
    $add->('Authorization', defined $options{token} ? "Bearer $options{token}" : undef);
    $add->('Cookie', defined $options{cookie} ? "token=$options{cookie}" : undef);
    my $body = exists $options{json} ? $json->encode($options{json}) : $options{body};
    $add->('Content-Type', 'application/json') if exists $options{json};
    if (defined $body && $options{chunked}) {
        $add->('Transfer-Encoding', 'chunked');
        my @chunks = unpack "(a$options{chunked})*", $body;
        $body = join '', map({ sprintf "%x\r\n%s\r\n", length, $_ } @chunks), "0\r\n\r\n";
    }
    elsif (defined $body) {
        $add->('Content-Length', length $body);
    }
    $add->('Connection', 'close');
    my $version = $options{http} // '1.1';
    my $bytes = join "\r\n", "$method $target HTTP/$version", @lines, '', $body // '';
    utf8::encode($bytes) if utf8::is_utf8($bytes) && !utf8::downgrade($bytes, 1);
    return $bytes;
}

# Sends $bytes over $socket and reads one answer. Options: timeout (seconds), method (HEAD has no body), finish (shut
# our side down after sending). Dies on a timeout or a broken answer; undef where the other side closed without one.
sub exchange ($socket, $bytes, %options) {
    local $SIG{PIPE} = 'IGNORE';
    $socket->blocking(0);
    my ($end, $sent, $received, $eof) =
        (Time::HiRes::time() + ($options{timeout} // 60) * $Roster::Process::patience, 0, '', 0);
    my $select = IO::Select->new($socket);
    while (1) {
        my $answer = parse(\$received, $eof, $options{method} // 'GET');
        return $answer if $answer;
        last if $eof;
        my $left = $end - Time::HiRes::time();
        die "no whole answer in time; so far: " . substr($received, 0, 200) . "\n" if $left <= 0;
        my $writing = $sent < length $bytes;
        my ($readable, $writable) = IO::Select->select($select, $writing ? $select : undef, undef, $left);
        if ($writable && @$writable) {
            my $count = syswrite $socket, $bytes, 65536, $sent;
            if (defined $count) {
                $sent += $count;
                shutdown $socket, 1 if $sent >= length $bytes && $options{finish};
            }
            elsif (!$!{EAGAIN} && !$!{EINTR}) {
                $sent = length $bytes;    # it wants no more; what it has answered is still there to be read
            }
        }
        if ($readable && @$readable) {
            my $count = sysread $socket, $received, 65536, length $received;
            $eof = 1 if defined $count ? !$count : !$!{EAGAIN} && !$!{EINTR};
        }
    }
    return undef if $received eq '';
    die "the answer was cut off: " . substr($received, 0, 200) . "\n";
}

# Takes one whole answer off the front of $$received; undef while it is not whole. Interim answers (100) are passed
# over. The answer: {status, reason, headers (lower case; repeated ones joined by a comma), set_cookie (array), body,
# json (undef where it is none), text, interim}.
sub parse ($received, $eof, $method) {
    my @interim;
    my $rest = $$received;
    while (1) {
        my $length = index $rest, "\r\n\r\n";
        return undef if $length < 0;
        my ($first, @lines) = split /\r\n/, substr $rest, 0, $length;
        my ($status, $reason) = $first =~ m{^HTTP/1\.[01] (\d{3})(?: (.*))?$} or die "no status line: $first\n";
        my %answer =
            (status => $status, reason => $reason // '', headers => {}, set_cookie => [], interim => \@interim);
        for my $line (@lines) {
            my ($name, $value) = $line =~ /^([^:\s]+):\s*(.*?)\s*$/ or die "no header field: $line\n";
            push @{$answer{set_cookie}}, $value if lc $name eq 'set-cookie';
            $answer{headers}{lc $name} =
                defined $answer{headers}{lc $name} ? "$answer{headers}{lc $name}, $value" : $value;
        }
        substr $rest, 0, $length + 4, '';
        if ($status < 200) {
            push @interim, $status;
            next;
        }
        my $headers = $answer{headers};
        if ($method eq 'HEAD' || $status == 204 || $status == 304) {
            $answer{body} = '';
        }
        elsif (lc($headers->{'transfer-encoding'} // '') eq 'chunked') {
            my $body = '';
            while (1) {
                my ($size) = $rest =~ /^([0-9a-fA-F]+)[^\r\n]*\r\n/ or return undef;
                my $start = $+[0];
                return undef if length $rest < $start + hex($size) + 2;
                $body .= substr $rest, $start, hex $size;
                substr $rest, 0, $start + hex($size) + 2, '';
                last if !hex $size;
            }
            $answer{body} = $body;
        }
        elsif (defined $headers->{'content-length'}) {
            return undef if length $rest < $headers->{'content-length'};
            $answer{body} = substr $rest, 0, $headers->{'content-length'}, '';
        }
        else {
            return undef if !$eof;
            ($answer{body}, $rest) = ($rest, '');
        }
        $$received = $rest;
        if (($headers->{'content-type'} // '') =~ m{^application/(?:\S+\+)?json\b} && $answer{body} ne '' && $decodes) {
            $answer{json} = eval { $json->decode($answer{body}) };
            $answer{json_error} = $@ if $@;
        }
        $answer{text} =
            !$decodes
            ? undef
            : eval { Encode::decode('UTF-8', $answer{body}, Encode::FB_CROAK() | Encode::LEAVE_SRC()) };
        return \%answer;
    }
}

1;
