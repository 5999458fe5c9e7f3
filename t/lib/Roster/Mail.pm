# Roster::Mail: a mail system for one test: msmtp of Debian, which hands mails over by SMTP, and behind it a server on
# loopback that writes them into a maildir. Or a program that stands in for sendmail, and fails as the test wants it.
#
#   my $mail = Roster::Mail->new($roster->directory);
#   $roster->set_directives($mail->directives);
#   my $message = $mail->wait_for(qr/^Subject: Choose/m);    # {raw, head, to, subject, text, html, from, rcpt, link}
#
# The server refuses some addresses at RCPT: refused@... for ever (550), later@... for now (451), until `later' is a file
# in its directory.
package Roster::Mail;
use v5.36;

use Encode ();
use IO::Socket::INET;
use MIME::QuotedPrint ();
use POSIX ();

use Roster::Database;
use Roster::Process;

our $URL = 'https://users.example.org';

# Where msmtp is; undef: it is not installed.
sub msmtp () {
    return (grep { -x } map { "$_/msmtp" } qw(/usr/bin /usr/local/bin))[0];
}

sub new ($class, $directory) {
    my $self = bless {directory => "$directory/mail", owner => $$, seen => 0}, $class;
    mkdir $_ or die "$_: $!\n" for $self->{directory}, map { "$self->{directory}/$_" } qw(tmp new cur);
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 20, Proto => 'tcp')
        or die "no socket: $!\n";
    my $port = $listener->sockport;
    Roster::Database::write_file("$self->{directory}/msmtprc",
        "defaults\ntls off\nauth off\naccount default\nhost 127.0.0.1\nport $port\n");
    my $parent = $$;
    $self->{pid} = fork // die "fork: $!\n";
    if (!$self->{pid}) {
        while (getppid == $parent) {
            my $bits = '';
            vec($bits, fileno $listener, 1) = 1;
            next if !select $bits, undef, undef, 0.5;
            my $client = $listener->accept or next;
            eval { $self->serve($client) };
            close $client;
        }
        POSIX::_exit(0);
    }
    return $self;
}

sub DESTROY ($self) {
    return if $self->{owner} != $$;
    local ($?, $!);
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

# Directives of roster.conf.
sub directives ($self) {
    return (
        public_url => $URL,
        mail_directory => "$Roster::source/conf/mail",
        sendmail_command => msmtp() . " -C $self->{directory}/msmtprc");
}

# One conversation (RFC 5321).
sub serve ($self, $client) {
    state $number = 0;
    my ($from, @to);
    print {$client} "220 sink.example.org ESMTP\r\n";
    while (my $line = <$client>) {
        if ($line =~ /^EHLO/i) { print {$client} "250-sink.example.org\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n" }
        elsif ($line =~ /^MAIL FROM:<(.*?)>/i) { $from = $1; print {$client} "250 OK\r\n" }
        elsif ($line =~ /^RCPT TO:<refused\@/i) { print {$client} "550 5.1.1 no such person\r\n" }
        elsif ($line =~ /^RCPT TO:<later\@/i && !-e "$self->{directory}/later") {
            print {$client} "451 4.3.2 later\r\n";
        }
        elsif ($line =~ /^RCPT TO:<(.*)>/i) { push @to, $1; print {$client} "250 OK\r\n" }
        elsif ($line =~ /^DATA/i) {
            print {$client} "354 go on\r\n";
            my $message = '';
            while (defined(my $next = <$client>)) {
                last if $next eq ".\r\n";
                $message .= $next =~ s/^\.//r;
            }
            my $name = sprintf '%d.%06d.sink', time, ++$number;
            my $file = "$self->{directory}/tmp/$name";
            open my $out, '>', $file or die "$file: $!\n";
            print {$out} "X-From: $from\r\n", (map { "X-To: $_\r\n" } @to), $message;
            close $out;
            rename $file, "$self->{directory}/new/$name" or die "$file: $!\n";
            print {$client} "250 OK\r\n";
        }
        elsif ($line =~ /^QUIT/i) { print {$client} "221 bye\r\n"; return }
        else { print {$client} "250 OK\r\n" }
    }
    return;
}

# All that have come, as they came.
sub messages ($self) {
    return map { parse(Roster::Database::slurp($_)) } sort glob "$self->{directory}/new/*";
}

# The next that has not been waited for and matches; undef: none came.
sub wait_for ($self, $pattern = qr//, $seconds = 20) {
    return Roster::Process::wait_until(
        $seconds,
        sub {
            for my $file (sort glob "$self->{directory}/new/*") {
                next if $self->{taken}{$file};
                my $message = parse(Roster::Database::slurp($file));
                next if "Subject: $message->{subject}\n$message->{raw}" !~ $pattern;
                $self->{taken}{$file} = 1;
                return $message;
            }
            return undef;
        });
}

# How many have come.
sub count ($self) { return scalar(() = glob "$self->{directory}/new/*") }

sub words ($text) { return Encode::decode('MIME-Header', $text) }

# A part: its type and its text.
sub part ($text) {
    my ($head, $body) = split /\n\n/, $text, 2;
    $head =~ s/\n[ \t]+/ /g;
    $body = MIME::QuotedPrint::decode_qp($body) if $head =~ /^Content-Transfer-Encoding: quoted-printable/mi;
    return ($head =~ m{^Content-Type: ([\w/]+)}mi, Encode::decode('UTF-8', $body));
}

sub parse ($raw) {
    my $text = $raw =~ s/\r\n/\n/gr;
    my ($head) = split /\n\n/, $text, 2;
    my $unfolded = $head =~ s/\n[ \t]+/ /gr;
    my %message = (raw => $raw, head => $unfolded, text => '', html => '');
    ($message{$_->[0]}) = $unfolded =~ /^$_->[1]: (.*)$/mi
        for ['to', 'To'], ['from', 'From'], ['envelope', 'X-From'], ['subject', 'Subject'], ['id', 'Message-ID'];
    $message{$_} = words($message{$_} // '') for qw(subject from);
    $message{rcpt} = [$unfolded =~ /^X-To: (.*)$/mg];
    if (my ($boundary) = $unfolded =~ /boundary="([^"]+)"/) {
        my (undef, @parts) = split /^--\Q$boundary\E(?:--)?\n/m, $text;
        my %parts = map { part($_) } grep { /\S/ } @parts;
        @message{qw(text html)} = @parts{qw(text/plain text/html)};
    }
    else {
        (undef, $message{text}) = part($text);
    }
    ($message{link}) = $message{text} =~ m{^(\S+/account/\w+#\w+)$}m;
    ($message{secret}) = ($message{link} // '') =~ /#(\w+)/;
    return \%message;
}

# ---- A program that stands in for sendmail ----

# Writes it into a directory. It does what the file `mode' beside it says: a number is its exit status, `hang' that it
# never ends. What it got stands in N.arguments and N.message. Gives its path.
sub stand_in ($directory) {
    my $file = "$directory/sendmail";
    mkdir $directory if !-d $directory;
    Roster::Database::write_file($file, <<'END');
#!/usr/bin/perl
use v5.36;
my ($directory) = $0 =~ m{(.*)/};
my @open = grep { -e "/proc/self/fd/$_" } 3 .. 1000;
open my $mode, '<', "$directory/mode" or die;
chomp(my $what = <$mode>);
my $number = 1;
$number++ while -e "$directory/$number.arguments";
my $message = do { local $/; <STDIN> };
open my $out, '>', "$directory/$number.message" or die;
print {$out} $message;
close $out;
open my $arguments, '>', "$directory/$number.arguments.new" or die;
print {$arguments} join "\n", @ARGV, "FD " . @open, map { "ENV $_" } sort keys %ENV;
close $arguments;
rename "$directory/$number.arguments.new", "$directory/$number.arguments";
sleep 1000 if $what eq 'hang';
print STDERR "first line\nthe program says $what\n" if $what;
exit $what;
END
    chmod 0700, $file;
    return $file;
}

1;
