# Roster::Attack: what the files of t/attacks share. Each file is one known attack: its first line names it, with its CVE
# or CWE, and it is a list of parts:
#
#   # CWE-915: mass assignment: fields that no form has make an administrator of whoever sends them.
#   use v5.36;
#   use Test::More;
#   use Roster::Attack;
#
#   attack 'the role at sign-up' => sub ($roster) { ... };
#   end_of_attacks;
#
# run.t runs all of them over one stack; `prove -I ../t/lib ../t/attacks/mass-assignment.t' runs one, over a stack of its
# own. So a part makes the people whom it needs, restores what it changes, and looks at nothing that others may change: at
# numbers of its own people, and not of all. It also shows that what is no attack goes through: so it can fail.
package Roster::Attack;
use v5.36;

use Test::More ();
use Roster;
use Roster::Mail;

our $shared;    # run.t's
my $own;

sub import ($class) {
    my $caller = caller;
    no strict 'refs';
    *{"${caller}::$_"} = \&{$_} for qw(attack end_of_attacks set_config mails);
    *{"${caller}::$_"} = \&{"Roster::Answers::$_"} for @Roster::Answers::EXPORT;
    *{"${caller}::$_"} = \&{"Roster::Process::$_"} for qw(wait_until in_background at_once);
    return;
}

# The stack of all attacks: nginx with TLS, too. Limits of requests would refuse what is meant to be refused for another
# reason: attacks on the limits themselves have stacks of their own, in t/e2e.
# Mails are handed to a program that keeps them.
sub stack () {
    my $roster = Roster->new(https => 1, start => 0);
    my $directory = $roster->directory . '/sendmail';
    my $program = Roster::Mail::stand_in($directory);
    Roster::Database::write_file("$directory/mode", "0\n");
    $roster->set_directives(
        rate_limits => 'no',
        public_url => 'https://roster.example.org',
        mail_directory => "$Roster::source/conf/mail",
        mail_notices => '""',
        sendmail_command => $program);
    return $roster->start;
}

# All mails that have been sent so far, each {to, text}.
sub mails ($roster) {
    return map {
        my $text = Roster::Database::slurp($_ =~ s/arguments$/message/r);
        {to => $text =~ /^To: (.*?)\r?$/m ? $1 : '', text => $text};
    } sort { ($a =~ /(\d+)\.a/)[0] <=> ($b =~ /(\d+)\.a/)[0] } glob $roster->directory . '/sendmail/*.arguments';
}

sub attack ($name, $code) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::subtest($name, $code, $shared // ($own //= stack()));
}

sub end_of_attacks () {
    Roster::done_testing() if !$shared;
    return 1;
}

# Replaces the settings of the service, past it.
sub set_config ($roster, $data) {
    $roster->sql('DELETE FROM config');
    $roster->sql('INSERT INTO config (data) VALUES (?)', JSON::PP->new->canonical->encode($data)) if $data;
    return;
}

1;
